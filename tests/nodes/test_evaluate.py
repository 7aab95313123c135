"""Evaluate, on the demo's reference video and on images."""

from __future__ import annotations

import json
import sys

import pytest
import soundfile
import torch
from comfy_api.latest import InputImpl
from sadtalker_pack.nodes import evaluate
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.metrics.metric_list import METRICS, all_figures
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
SLOW = ("fid", "lpips", "csim", "sync")


@pytest.fixture
def video():
    return InputImpl.VideoFromFile(str(DEMO / "reference.mp4"))


def test_a_video_with_its_reference_and_speech(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)  # an extra: what needs it is named, the rest is measured
    samples, rate = soundfile.read(DEMO / "speech.wav", dtype="float32", always_2d=True)
    audio = {"waveform": torch.from_numpy(samples[: 4 * rate].T.copy())[None], "sample_rate": rate}
    table, report = run_node("SadTalkerEvaluate", images_fps=25.0, video=video, audio=audio, reference=video)[:2]
    values = json.loads(report)["clips"][0]["values"]
    assert values["psnr"] == 100
    assert values["mouth_lmd"] < 1e-3
    assert values["mouth_correlation"] > 0.2  # the video was made from this speech
    assert abs(values["mouth_lag"]) <= 2
    assert "| PSNR (dB) ↑ | 100.00 | 1 |" in table
    assert "not measured: needs syncnet_v2.model" in table
    assert "not measured: needs librosa (pip install librosa)" in table


def test_images_with_a_portrait(video, monkeypatch):
    monkeypatch.setattr(evaluate, "METRICS", {k: v for k, v in METRICS.items() if k not in SLOW})
    images = video.get_components().images[:36]
    table, report = run_node("SadTalkerEvaluate", images_fps=30.0, images=images, source=images[:1])[:2]
    found = json.loads(report)["clips"][0]
    assert 0 < found["values"]["cpbd"] < 1
    assert "sound" in found["missing"]["beat_align"]
    assert len(table.splitlines()) == 2 + len(all_figures())


def test_neither_video_nor_images():
    with pytest.raises(SadTalkerError, match="either a video or images"):
        run_node("SadTalkerEvaluate", images_fps=25.0)


def test_a_video_without_a_face():
    with pytest.raises(SadTalkerError, match="shows a face"):
        run_node("SadTalkerEvaluate", images_fps=25.0, images=torch.rand(3, 64, 64, 3))
