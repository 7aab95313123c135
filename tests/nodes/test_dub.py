"""Dub Video in the host: streamed from a file to a file, with its sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import folder_paths
import pytest
import soundfile
import torch
from comfy_api.latest import InputImpl, Types
from sadtalker_pack.sadtalker_core.errors import AudioError, FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.finish.watermark.detector import detect
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
DUB = {"length": "speech", "missing": "error", "expression_scale": 1.0, "face_index": 0, "images_fps": 25.0}


@pytest.fixture(scope="module")
def video():
    return InputImpl.VideoFromFile(str(DEMO / "reference.mp4"))


@pytest.fixture(scope="module")
def images(video):
    return video.get_components().images[:6]


def spoken(seconds, rate=None, channels=1):
    samples, own = soundfile.read(DEMO / "speech.wav", dtype="float32", always_2d=True)
    wave = torch.from_numpy(samples[: round(seconds * own)].T.copy())[None].expand(-1, channels, -1)
    return {"waveform": wave, "sample_rate": rate or own}


def facts(video):
    """Frames, rate, size and seconds of sound of a VIDEO in a file."""
    with av.open(video.get_stream_source()) as container:
        stream = container.streams.video[0]
        rate, size = stream.average_rate, (stream.width, stream.height)
        sound = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    with av.open(video.get_stream_source()) as container:
        count = sum(1 for _ in container.decode(video=0))
    return count, rate, size, sound


def test_file_to_file(video, monkeypatch, tmp_path):
    monkeypatch.setattr(InputImpl.VideoFromFile, "get_components", lambda self: pytest.fail("decoded at once"))
    result = run_node("SadTalkerDubVideo", video=video, audio=spoken(0.4), **DUB)[0]
    count, rate, size, sound = facts(result)
    assert (count, rate, size) == (12, 30, (320, 320))
    assert sound == pytest.approx(0.4, abs=0.1)
    saved = tmp_path / "saved.mp4"
    result.save_to(str(saved))
    assert facts(InputImpl.VideoFromFile(str(saved)))[0] == 12


def test_only_the_lower_face_differs(images):
    plain = run_node("SadTalkerDubVideo", images=images, audio=spoken(0.24), watermark=False, **DUB)[0]
    change = (plain.get_components().images - images).abs().mean((0, 3))
    assert change[:100].mean() < 0.02  # what compression leaves
    assert change.amax() > 0.08


def test_mark(video):
    result = run_node("SadTalkerDubVideo", video=video, audio=spoken(0.2), **DUB)[0]
    assert detect(result.get_components().images.permute(0, 3, 1, 2)).found
    result = run_node("SadTalkerDubVideo", video=video, audio=spoken(0.2), watermark=False, **DUB)[0]
    assert not detect(result.get_components().images.permute(0, 3, 1, 2)).found


def test_video_of_another_node_and_its_length(images):
    part = Types.VideoComponents(images=images[:, 9:, :319], audio=None, frame_rate=Fraction(24))
    result = run_node(
        "SadTalkerDubVideo",
        video=InputImpl.VideoFromComponents(part),
        audio=spoken(1.0, channels=2),
        **{**DUB, "length": "video"},
    )[0]
    count, rate, size, sound = facts(result)
    assert (count, rate, size) == (6, 24, (318, 310))
    assert sound == pytest.approx(0.25, abs=0.1)


def test_rate_of_film(images):
    result = run_node("SadTalkerDubVideo", images=images, audio=spoken(0.1), **{**DUB, "images_fps": 29.97})[0]
    assert float(facts(result)[1]) == pytest.approx(29.97, abs=0.01)


class TestBadInput:
    def test_nothing_or_both(self, video, images):
        with pytest.raises(SadTalkerError, match="either a video or images"):
            run_node("SadTalkerDubVideo", audio=spoken(0.2), **DUB)
        with pytest.raises(SadTalkerError, match="not both"):
            run_node("SadTalkerDubVideo", audio=spoken(0.2), video=video, images=images, **DUB)

    def test_sound_that_is_none(self, images):
        broken = spoken(0.2)
        broken["waveform"] = broken["waveform"] * torch.nan
        with pytest.raises(AudioError, match="finite|numbers"):
            run_node("SadTalkerDubVideo", audio=broken, images=images, **DUB)
        with pytest.raises(AudioError, match="got none"):
            run_node("SadTalkerDubVideo", audio=None, images=images, **DUB)

    def test_no_face_leaves_no_file(self):
        def written():
            return sorted(Path(folder_paths.get_temp_directory()).glob("SadTalker_*.mp4"))

        before = written() if Path(folder_paths.get_temp_directory()).exists() else []
        with pytest.raises(FaceNotFoundError, match="None of the 3 frames"):
            run_node("SadTalkerDubVideo", audio=spoken(0.2), images=torch.rand(3, 128, 128, 3), **DUB)
        assert written() == before
