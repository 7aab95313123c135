"""When the eyes close: the curve that ExpNet's blink input follows."""

from __future__ import annotations

from collections.abc import Callable
from math import log1p, pi

import torch
from torch import Tensor

from ..errors import SadTalkerError
from ..flow import MODEL_FPS, BlinkCurve

BLINKS_PER_MINUTE = 17.0
"""Blinks of a person at ease."""
MAX_BLINKS_PER_MINUTE = 60.0
REFRACTORY_SECONDS = 0.4
"""Least time with open eyes between two blinks, and before the first."""
SHORTEST_BLINK_SECONDS, LONGEST_BLINK_SECONDS = 0.15, 0.35
CLOSING_SHARE = 1 / 3
"""Fraction of a blink in which the lids fall: they do so about twice as fast as they rise."""

ORIGINAL_SHAPE = (0.5, 0.9, 1.0, 0.9, 0.5)
ORIGINAL_PAUSES = (10, 70)
"""Frames before a blink of the original: from, and up to but not including."""


def random_blink(frames: int, fps: float, generator: torch.Generator, *, rate: float = BLINKS_PER_MINUTE) -> BlinkCurve:
    """Blinks at the irregular intervals of a person: none in the first frame, none cut off by the last.

    Blinks last 150 to 350 ms. The wait between two is a refractory time and the sum of two exponential draws, which
    spreads it about as widely as people's.

    Args:
        frames: length of the curve, >= 0.
        generator: on the CPU; the same state draws the same curve.
        rate: blinks a minute on average, 0 to 60.

    Raises:
        SadTalkerError: the rate is out of its range.
    """
    if not 0 <= rate <= MAX_BLINKS_PER_MINUTE:
        raise SadTalkerError(f"Expected 0 to {MAX_BLINKS_PER_MINUTE:g} blinks a minute, got {rate}.")
    closure = torch.zeros(frames)
    curve = BlinkCurve(closure, fps)
    if rate == 0:
        return curve
    refractory = max(REFRACTORY_SECONDS, 2 / fps)
    mean_wait = max(0.0, 60 / rate - refractory - (SHORTEST_BLINK_SECONDS + LONGEST_BLINK_SECONDS) / 2)
    end = 0.0
    while True:
        one, other, length = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        start = end + refractory - mean_wait / 2 * (log1p(-one) + log1p(-other))
        duration = SHORTEST_BLINK_SECONDS + (LONGEST_BLINK_SECONDS - SHORTEST_BLINK_SECONDS) * length
        end = start + duration
        if end * fps > frames - 2:
            return curve
        # The peak falls on a frame, so that the eyes shut at any frame rate.
        peak = round((start + CLOSING_SHARE * duration) * fps)
        lid = _lid(duration * fps)
        first = peak - int(lid.argmax())
        closure[first : first + len(lid)] = lid


def original_blink(frames: int, choose: Callable[[range], int], fps: float = MODEL_FPS) -> BlinkCurve:
    """The original's curve: five frames for each blink, 10 to 69 between two of them, meant for 25 frames a second.

    Clips that are too short for a choice of pauses (up to 21 frames) get no blink.

    Args:
        choose: draws one number of a range, as ``random.Random(seed).choice`` does.
    """
    closure = torch.zeros(frames)
    shortest, longest = ORIGINAL_PAUSES
    pauses = range(shortest, min(frames // 2, longest))
    start = 0
    while pauses:
        start += choose(pauses)
        end = start + len(ORIGINAL_SHAPE)
        if end >= frames:
            break
        closure[start:end] = torch.tensor(ORIGINAL_SHAPE)
        start = end
    return BlinkCurve(closure, fps)


def draw_from(pauses: range, generator: torch.Generator) -> int:
    """One number of a range; with a generator on the CPU the ``choose`` of ``original_blink``."""
    return pauses[int(torch.randint(len(pauses), (), generator=generator))]


def _lid(duration: float) -> Tensor:
    """One blink of ``duration`` frames: a raised cosine with its peak of 1 on a frame."""
    closing, opening = CLOSING_SHARE * duration, (1 - CLOSING_SHARE) * duration
    frame = torch.arange(-int(closing), int(opening) + 1)
    phase = torch.where(frame < 0, frame / closing, frame / opening)
    return 0.5 + 0.5 * torch.cos(pi * phase)
