"""The watermark's benchmark: its treatments do what they say, and its tables show what was found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def test_figures_of_one_small_clip(tmp_path):
    """A fifth of a second of speech at the smallest size that everything here can be asked of."""
    unmarked, report = tmp_path / "unmarked", tmp_path / "report.json"
    unmarked.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).save(unmarked / "noise.png")
    (unmarked / "notes.txt").write_text("no picture")
    command = [sys.executable, "-m", "benchmarks.watermark", "--sizes", "256", "--seconds", "0.2"]
    command += ["--unmarked", str(unmarked), "--json", str(report)]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = json.loads(report.read_text(encoding="utf-8"))
    (clip,) = found["clips"]
    assert clip["frames"] == 5
    assert clip["psnr_db"] >= 40
    sent = clip["sent"]
    assert sent["h264, 75 %"]["bits"]["1"] >= 0.99
    assert sent["h264, 75 %"]["message_read"]
    assert not sent["grey"]["message_read"]
    assert sent["h264"]["score"] > sent["JPEG 50"]["score"]
    assert set(found["unmarked"]) == {clip["name"], "unmarked/noise.png"}
    assert "2 pictures and videos without a mark: 0 found" in shown
    assert f"| {clip['name']} |" in shown
