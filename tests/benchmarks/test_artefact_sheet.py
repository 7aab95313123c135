"""The sheet that shows where a warped portrait goes wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TILE = 180


def test_sheet_shows_the_head_at_rest_then_moved(tmp_path):
    out = tmp_path / "sheet.png"
    command = [sys.executable, "-m", "benchmarks.artefact_sheet", str(out), "--size", "256"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    sheet = np.asarray(Image.open(out)).astype(float)
    assert sheet.shape == (2 * TILE, 8 * TILE, 3)
    heads, parts = sheet.reshape(2, TILE, 8, TILE, 3).transpose(0, 2, 1, 3, 4)
    assert all(np.abs(head - heads[0]).mean() > 4 for head in heads[1:])
    closed, *opened = parts[:4]
    changes = [np.abs(mouth - closed).mean() for mouth in opened]
    assert changes[0] > 1
    assert changes == sorted(changes)
