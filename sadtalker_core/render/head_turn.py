"""Curves of head angles through a few given values: the camera moves of the original's command line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..errors import SadTalkerError
from ..flow import HeadTurn

LARGEST_ANGLE = 90.0
"""Degrees; beyond it the face would be hidden."""


def head_turn(frames: int, yaw: str = "", pitch: str = "", roll: str = "") -> HeadTurn | None:
    """Angles from what a user types: numbers of degrees, separated by spaces or commas; an empty text leaves an angle.

    Raises:
        SadTalkerError: a text holds something else than numbers, or an angle beyond 90 degrees.
    """
    curves = {
        name: angle_curve(parse_angles(name, text), frames)
        for name, text in (("yaw", yaw), ("pitch", pitch), ("roll", roll))
        if text.strip()
    }
    return HeadTurn(**curves) if curves else None


def parse_angles(name: str, text: str) -> list[float]:
    """The numbers of a text such as "-20 30, 10"."""
    try:
        angles = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        angles = []
    if not angles or not all(abs(angle) <= LARGEST_ANGLE for angle in angles):  # the comparison is false for NaN, too
        raise SadTalkerError(
            f"{name} must be one or more angles between -{LARGEST_ANGLE:g} and {LARGEST_ANGLE:g} degrees, such as "
            f"'-20 30 10'; got '{text}'."
        )
    return angles


def angle_curve(angles: Sequence[float], frames: int) -> Tensor:
    """(frames,) degrees that run through ``angles`` at an even speed.

    As in the original, each leg leaves out its end and the last frame repeats the one before, so that the final
    angle is not quite reached.
    """
    length = sum(abs(end - start) for start, end in pairwise(angles))
    if length == 0 or frames < 2:
        return torch.full((frames,), float(angles[0]))
    step = length / (frames - 1)
    legs = [np.arange(start, end, step if end > start else -step) for start, end in pairwise(angles)]
    curve = np.concatenate(legs)[:frames]
    return torch.from_numpy(np.pad(curve, (0, frames - len(curve)), mode="edge").astype(np.float32))
