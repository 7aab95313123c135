"""Blinks of known number and length, as curves and on landmarks."""

import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.measures import eye_opening
from sadtalker_pack.sadtalker_core.face.regions import LEFT_EYE, RIGHT_EYE
from sadtalker_pack.sadtalker_core.metrics.blinks import START_CLOSURE, Blinks, blink_times
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip

SECONDS = 10
MIDDLES = (1.22, 3.5, 4.1, 8.06)


def closure(middles, length, seconds=SECONDS, fps=25):
    """(T,) raised cosines of ``length`` seconds around each of ``middles``."""
    time = (torch.arange(seconds * fps) + 0.5) / fps
    away = (time[:, None] - torch.tensor(middles)[None]).abs().amin(1)
    return torch.where(away < length / 2, 0.5 + 0.5 * torch.cos(2 * math.pi * away / length), 0.0)


def opening(closed):
    return 0.3 * (1 - 0.75 * closed)


def time_above_start(length):
    """Seconds for which a raised cosine of ``length`` seconds is above ``START_CLOSURE``."""
    return length * math.acos(2 * START_CLOSURE - 1) / math.pi


@pytest.mark.parametrize("length", [0.28, 0.4])
def test_number_moment_and_length(length):
    found = blink_times(opening(closure(MIDDLES, length)))
    assert found.middle.tolist() == pytest.approx(MIDDLES, abs=0.021)
    assert found.duration.tolist() == pytest.approx([time_above_start(length)] * 4, abs=0.02)


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_eyes_that_stay_open_do_not_blink(noise):
    trembling = 0.3 * (1 + noise * torch.randn(250))
    assert len(blink_times(trembling).middle) == 0


def test_a_slow_squint_is_no_blink_and_blinks_on_it_count():
    squint = 1 - 0.3 * torch.sin(math.pi * torch.arange(250) / 250)
    assert len(blink_times(0.3 * squint).middle) == 0
    assert len(blink_times(opening(closure(MIDDLES, 0.3)) * squint).middle) == 4


def test_half_blinks_and_long_closures_do_not_count():
    assert len(blink_times(opening(0.4 * closure((3.0,), 0.3))).middle) == 0
    shut = torch.zeros(250)
    shut[100:130] = 1  # 1.2 s
    assert len(blink_times(opening(shut)).middle) == 0


@pytest.mark.parametrize("middle", [0.0, 9.99])
def test_blinks_that_the_clips_ends_cut_do_not_count(middle):
    assert blink_times(opening(closure((middle, 5.0), 0.3))).middle.tolist() == pytest.approx([5.0], abs=0.021)


def test_another_rate():
    found = blink_times(opening(closure(MIDDLES, 0.3, fps=50)), fps=50)
    assert found.middle.tolist() == pytest.approx(MIDDLES, abs=0.011)
    assert found.duration.tolist() == pytest.approx([time_above_start(0.3)] * 4, abs=0.01)


def eyes(closed):
    """Landmarks (T, 478, 3) of which only the eyelids matter: ellipses, a third as high as wide when open."""
    points = torch.zeros(len(closed), 478, 3)
    angle = math.pi * torch.arange(16) / 8
    for ring, x in ((LEFT_EYE, 80.0), (RIGHT_EYE, 170.0)):
        points[:, ring, 0] = x - 15 * torch.cos(angle)
        points[:, ring, 1] = 100 - 5 * (1 - 0.75 * closed[:, None]) * torch.sin(angle)
    return points


def clip_of(points):
    return VideoClip("clip", torch.zeros(len(points), 3, 256, 256, dtype=torch.uint8), points)


def test_of_a_clips_landmarks():
    points = eyes(closure(MIDDLES, 0.3))
    assert float(eye_opening(points).max()) > 2 * float(eye_opening(points).min())
    found = Blinks().measure(clip_of(points))
    assert found["blinks_per_minute"] == pytest.approx(60 * 4 / SECONDS)
    assert found["blink_seconds"] == pytest.approx(time_above_start(0.3), abs=0.02)


def test_without_blinks_there_is_a_rate_but_no_length():
    found = Blinks().measure(clip_of(eyes(torch.zeros(100))))
    assert found["blinks_per_minute"] == 0
    assert math.isnan(found["blink_seconds"])


def test_too_short():
    points = eyes(torch.zeros(100))
    points[20:] = torch.nan
    with pytest.raises(NotMeasuredError, match="1.5 s"):
        Blinks().measure(clip_of(points))
