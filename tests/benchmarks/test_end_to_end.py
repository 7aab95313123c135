"""The benchmark's commands run, on as little work as they accept; what they measure is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from sadtalker_pack.benchmarks.contact_sheet import contact_sheet, read_frames

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    "load the open pack", "audio to mel", "extract 3DMM", "blink", "ExpNet",
    "PoseVAE", "mapping", "face render", "mp4 encode",
]  # fmt: skip


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def video(tmp_path):
    """Ten frames, each brighter than the one before."""
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            pixels = np.full((48, 64, 3), 20 * number + 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.slow
def test_end_to_end_times_every_stage(tmp_path):
    result = tmp_path / "result.json"
    few = ("--size", "256", "--repeats", "1", "--warmup", "0", "--threads", "1")
    table = run("benchmarks.end_to_end", "--seconds", "0.2", "0.4", *few, "--json", str(result))
    report = json.loads(result.read_text())
    assert [case["frames"] for case in report["cases"]] == [5, 10]
    assert report["machine"]["threads"] == 1
    for case in report["cases"]:
        assert list(case["stages"]) == STAGES
        assert case["frame"] == [256, 256]
        assert case["peak_memory_mib"] is None or case["peak_memory_mib"] > 100
        assert case["mp4_bytes"] > 1000
    for stage in STAGES:
        assert f"| {stage} " in table
    assert "frames/s" in table


def test_contact_sheet_command(video, tmp_path):
    out = tmp_path / "sheet.png"
    run("benchmarks.contact_sheet", str(video), str(out), "--frames", "4", "--columns", "2", "--width", "32")
    assert Image.open(out).size == (64, 48)


def test_contact_sheet_frames_are_evenly_spaced_and_in_reading_order(video):
    frames = read_frames(video, 4)
    assert [np.asarray(frame).mean() for frame in frames] == pytest.approx([40, 80, 140, 180], abs=6)
    sheet = np.asarray(contact_sheet(frames, 3, 64))
    assert sheet.shape == (96, 192, 3)
    assert sheet[10, 70].mean() == pytest.approx(80, abs=6)
    assert sheet[60, 10].mean() == pytest.approx(180, abs=6)
    assert (sheet[60, 100] == 255).all()


def test_short_videos_give_fewer_frames(video):
    assert len(read_frames(video, 100)) == 10
