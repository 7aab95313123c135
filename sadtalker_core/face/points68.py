"""The 478 mesh points -> the 68 points of the iBUG annotation, which the official networks were trained with."""

from __future__ import annotations

from torch import Tensor

JAW = (127, 234, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 197, 5, 1, 98, 97, 2, 326, 327)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
OUTER_MOUTH = (61, 40, 37, 0, 267, 270, 291, 321, 405, 17, 181, 91)
INNER_MOUTH = (78, 81, 13, 311, 308, 402, 14, 178)
INDICES = JAW + BROWS + NOSE + EYES + OUTER_MOUTH + INNER_MOUTH
"""Mesh point of each of the 68: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67, from the picture's left."""


def points68(points: Tensor) -> Tensor:
    """The 68 points (..., 68, 2) among mesh points (..., 478, 3), in their unit."""
    return points[..., INDICES, :2]
