"""A mouth that opens with the voice, so many frames late."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.flow import SAMPLE_RATE, Waveform
from sadtalker_pack.sadtalker_core.metrics.loudness import loudness_mouth
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.speech_lag import MAX_LAG, SpeechLag
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip

FRAMES = 200
LOWER_LIP_POINTS = [14, 17, 84, 87, 178, 181, 314, 317, 402, 405]


@pytest.fixture(scope="module")
def metric():
    return SpeechLag()


@pytest.fixture
def speech(demo_speech):
    """The demo's first seconds, with 25 frames of silence on either side."""
    spoken = demo_speech.samples[: (FRAMES - 50) * 640]
    return Waveform(torch.cat((torch.zeros(25 * 640), spoken, torch.zeros(FRAMES * 640 - 25 * 640 - len(spoken)))))


def speaking(metric, opening):
    """Landmarks (T, 478, 3) of the mean face, whose lower lip falls with ``opening`` (T,)."""
    points = (metric._model.mean * torch.tensor((80.0, -80.0, -80.0)) + 128).repeat(len(opening), 1, 1)
    points[:, LOWER_LIP_POINTS, 1] += 12 * opening[:, None]
    return points


def clip_of(points, waveform):
    return VideoClip("clip", torch.zeros(len(points), 3, 256, 256, dtype=torch.uint8), points, waveform)


def rolled(samples, frames):
    return Waveform(torch.roll(samples, frames * SAMPLE_RATE // 25))


@pytest.mark.parametrize("late", [-15, -7, -1, 0, 1, 4, 15])
def test_a_late_mouth_is_late_by_exactly_that(metric, speech, late):
    mouth = torch.roll(loudness_mouth(speech.samples, FRAMES), late)
    found = metric.measure(clip_of(speaking(metric, mouth), speech))
    assert found["mouth_lag"] == late
    assert found["mouth_correlation"] > 0.999


@pytest.mark.parametrize("late", [-6, 3, 11])
def test_late_sound_moves_the_lag_by_exactly_that(metric, speech, late):
    mouth = speaking(metric, loudness_mouth(speech.samples, FRAMES))
    found = metric.measure(clip_of(mouth, rolled(speech.samples, late)))
    assert found["mouth_lag"] == -late
    assert found["mouth_correlation"] > 0.99


def test_frames_without_a_face_do_not_matter(metric, speech):
    points = speaking(metric, torch.roll(loudness_mouth(speech.samples, FRAMES), 2))
    points[60:75] = torch.nan
    assert metric.measure(clip_of(points, speech))["mouth_lag"] == 2


def test_a_mouth_that_does_otherwise_correlates_little(metric, speech):
    assert metric.measure(clip_of(speaking(metric, torch.rand(FRAMES)), speech))["mouth_correlation"] < 0.4


def test_what_a_clip_may_lack(metric, speech):
    mouth = speaking(metric, loudness_mouth(speech.samples, FRAMES))
    with pytest.raises(NotMeasuredError, match="sound"):
        metric.measure(clip_of(mouth, None))
    with pytest.raises(NotMeasuredError, match=f"{2 * MAX_LAG} frames"):
        metric.measure(clip_of(mouth[:20], speech))
    with pytest.raises(NotMeasuredError, match="moves"):
        metric.measure(clip_of(speaking(metric, torch.zeros(FRAMES)), speech))
