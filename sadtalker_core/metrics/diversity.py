"""How much heads move: the paper's Diversity, on the head's angles themselves instead of an embedding of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class HeadDiversity:
    """Standard deviations, degrees."""

    pitch: float
    yaw: float
    roll: float

    @property
    def mean(self) -> float:
        return (self.pitch + self.yaw + self.roll) / 3


def head_diversity(tracks: Sequence[Tensor]) -> HeadDiversity:
    """Standard deviation of pitch, yaw and roll over all frames of tracks (T, 3), radians.

    Each track counts from its own mean, so that it tells of the motion and not of where a portrait looks.
    """
    motion = torch.cat([track - track.mean(0) for track in tracks])
    return HeadDiversity(*(degrees(float(angle)) for angle in motion.double().std(0)))
