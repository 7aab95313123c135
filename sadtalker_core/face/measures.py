"""How far eyes are open, and when they blink."""

from __future__ import annotations

import torch
from torch import Tensor

from .regions import FIVE_POINTS, LEFT_EYE, LOWER_LIP, MOUTH_CORNERS, OUTER_EYE_CORNERS, RIGHT_EYE, UPPER_LIP

_LID_PAIRS = tuple((index, 16 - index) for index in (3, 4, 5))
"""Places on an eye's ring, opposite each other: the middle of the upper and of the lower lid, and those beside it."""
_OPEN_SHARE, _CLOSED_SHARE = 0.7, 0.25
"""The opening that counts as open is exceeded in the rest of the frames; a quarter of it counts as shut, since
landmarks of shut lids still lie apart. The same as in the training of ExpNet's blinks."""


def eye_distance(points: Tensor) -> float:
    """Between the outer eye corners of landmarks (478, 3), in the picture plane, in their unit."""
    left, right = OUTER_EYE_CORNERS
    return float((points[left, :2] - points[right, :2]).norm())


def five_points(points: Tensor) -> Tensor:
    """Eyes, nose tip and mouth corners (..., 5, 2) of vertices or landmarks (..., 478, 3), in their unit."""
    return torch.stack([points[..., list(part), :2].mean(-2) for part in FIVE_POINTS], -2)


def mouth_opening(points: Tensor) -> Tensor:
    """Distance (B,) between the middles of the inner lips of vertices or landmarks (B, 478, 3), in their unit."""
    return (points[:, UPPER_LIP] - points[:, LOWER_LIP]).norm(dim=-1)


def mouth_width(points: Tensor) -> Tensor:
    """Distance (B,) between the mouth's corners of vertices or landmarks (B, 478, 3), in their unit."""
    left, right = MOUTH_CORNERS
    return (points[:, left] - points[:, right]).norm(dim=-1)


def eye_opening(points: Tensor) -> Tensor:
    """Height over width of the eyes (B,), mean of both, of vertices or landmarks (B, 478, 3) in any unit."""
    ratios: list[Tensor] = []
    for ring in (LEFT_EYE, RIGHT_EYE):
        heights = [(points[:, ring[up]] - points[:, ring[down]]).norm(dim=1) for up, down in _LID_PAIRS]
        width = (points[:, ring[0]] - points[:, ring[8]]).norm(dim=1)
        ratios.append(torch.stack(heights).mean(0) / width)
    return torch.stack(ratios).mean(0)


def eye_closure(opening: Tensor) -> Tensor:
    """Closure (T,) from 0 open to 1 shut, of the openings (T,) of one person's eyes over time.

    A person's open eyes are those of most frames: what is measured is how far the lids leave that.
    """
    wide = opening.quantile(_OPEN_SHARE)
    return ((wide - opening) / ((1 - _CLOSED_SHARE) * wide)).clamp(0, 1)
