import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.expnet.blink import original_blink, random_blink

MINUTES = 60


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spans(closure: torch.Tensor) -> list[tuple[int, int, int]]:
    """First, most closed and last frame of each blink."""
    closed = torch.cat((torch.zeros(1), (closure > 0).float(), torch.zeros(1))).diff()
    begins, ends = torch.nonzero(closed > 0)[:, 0].tolist(), torch.nonzero(closed < 0)[:, 0].tolist()
    return [(a, a + int(closure[a:b].argmax()), b - 1) for a, b in zip(begins, ends, strict=True)]


@pytest.mark.parametrize("fps", [12, 25, 29.97, 60, 240])
def test_people_blink_15_to_20_times_a_minute(fps):
    curve = random_blink(int(MINUTES * 60 * fps), fps, generator())
    assert 15 < len(spans(curve.closure)) / MINUTES < 20


@pytest.mark.parametrize("rate", [5.0, 30.0, 60.0])
def test_the_rate_is_the_one_asked_for(rate):
    curve = random_blink(MINUTES * 60 * 25, 25, generator(), rate=rate)
    assert len(spans(curve.closure)) / MINUTES == pytest.approx(rate, rel=0.1)


def test_blinks_last_as_long_as_peoples_and_close_faster_than_they_open():
    fps = 240
    blinks = spans(random_blink(10 * 60 * fps, fps, generator()).closure)
    closing = torch.tensor([peak - first for first, peak, _ in blinks]) / fps
    opening = torch.tensor([last - peak for _, peak, last in blinks]) / fps
    duration = closing + opening
    assert float(duration.min()) > 0.1
    assert float(duration.max()) < 0.4
    assert float((closing / opening).mean()) == pytest.approx(0.5, abs=0.05)


def test_intervals_are_irregular_with_a_rest_after_each_blink():
    fps = 25
    blinks = spans(random_blink(MINUTES * 60 * fps, fps, generator()).closure)
    rests = torch.tensor([after[0] - before[2] for before, after in zip(blinks, blinks[1:], strict=False)]) / fps
    assert float(rests.min()) > 0.3
    assert 0.4 < float(rests.std() / rests.mean()) < 0.9


def test_eyes_shut_fully_and_smoothly():
    closure = random_blink(60 * 120, 120, generator()).closure
    assert all(closure[peak] == 1 for _, peak, _ in spans(closure))
    assert float(closure.diff().abs().max()) < 0.3


@given(frames=st.integers(0, 400), fps=st.floats(0.5, 240), seed=st.integers(0, 2**63 - 1))
def test_the_first_and_last_frames_are_open_eyed_at_any_length_and_rate(frames, fps, seed):
    curve = random_blink(frames, fps, generator(seed))
    assert len(curve) == frames
    assert curve.fps == fps
    assert not curve.closure[:1].any()
    assert not curve.closure[-1:].any()
    assert float(curve.closure.clamp(0, 1).sub(curve.closure).abs().sum()) == 0


def test_a_seed_decides_the_curve():
    one, same, other = (random_blink(1500, 25, generator(seed)).closure for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_no_blinks_on_request():
    assert not random_blink(1500, 25, generator(), rate=0).closure.any()


@pytest.mark.parametrize("rate", [-1, 61, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(SadTalkerError, match="blinks a minute"):
        random_blink(100, 25, generator(), rate=rate)


@given(frames=st.integers(0, 500), seed=st.integers(0, 1000))
def test_the_reference_curve_fits_any_length(frames, seed):
    closure = original_blink(frames, random.Random(seed).choice).closure
    assert closure.shape == (frames,)
    assert not closure[:1].any()
