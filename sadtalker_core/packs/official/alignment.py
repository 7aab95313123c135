"""The 224-pixel picture that the regressor sees: five landmarks lie where they do on a standard face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

ALIGNED_SIZE = 224
STANDARD_POINTS = np.array(
    [
        (-0.31148657, 0.29036078, 0.13377953),
        (0.30979887, 0.28972036, 0.13179526),
        (0.0032535, -0.04617932, 0.55244243),
        (-0.25216928, -0.38133916, 0.22405732),
        (0.2484662, -0.38128236, 0.22235769),
    ]
)
"""(5, 3) eye, eye, nose tip, mouth corner, mouth corner on the mean face of BFM 2009, the picture's left ones first;
y up, z to the camera."""
_STANDARD_UNIT = 102.0
"""Pixels in the aligned picture of one unit of ``STANDARD_POINTS``; what the regressor was trained with."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a square picture is scaled and moved to become the aligned one."""

    side: int
    """side of the square picture, pixels"""
    scale: float
    """aligned pixels per pixel of the square picture"""
    x: float
    y: float
    """where the standard face's origin lies in the square picture: pixels, y up from its lower edge"""

    @property
    def resized_side(self) -> int:
        return int(self.side * self.scale)

    @property
    def left(self) -> int:
        """First column of the resized picture that is kept; negative where the aligned picture begins outside."""
        return int(self.resized_side / 2 - ALIGNED_SIZE / 2 + (self.x - self.side / 2) * self.scale)

    @property
    def top(self) -> int:
        return int(self.resized_side / 2 - ALIGNED_SIZE / 2 + (self.side / 2 - self.y) * self.scale)

    def place(self, points: Array) -> Array:
        """Points (N, 2) of the square picture in the aligned one; pixels, y up in both."""
        centre = np.array((self.x, self.y))
        return (points - centre + self.side / 2) * self.scale - (self.resized_side - ALIGNED_SIZE) / 2


def original_five_points(landmarks: Array) -> Array:
    """Eyes, nose tip and mouth corners (5, 2) of the 68 points (68, 2), in their unit. Here an eye is the middle of its
    corners, as in the original."""
    left_eye, right_eye = landmarks[[36, 39]].mean(0), landmarks[[42, 45]].mean(0)
    return np.stack((left_eye, right_eye, landmarks[30], landmarks[48], landmarks[54]))


def align_points(points: Array, side: int) -> Alignment:
    """Alignment of a picture of ``side`` x ``side`` pixels by its five points (5, 2); pixels, y up.

    An affine camera is fitted to the standard face by least squares; its two axes may differ in length, and the
    scale is their mean.
    """
    system = np.zeros((10, 8))
    system[0::2, :3] = system[1::2, 4:7] = STANDARD_POINTS
    system[0::2, 3] = system[1::2, 7] = 1
    camera = np.linalg.lstsq(system, points.reshape(-1), rcond=None)[0]
    length = (np.linalg.norm(camera[:3]) + np.linalg.norm(camera[4:7])) / 2
    return Alignment(side, float(_STANDARD_UNIT / length), float(camera[3]), float(camera[7]))


def align_picture(pixels: Pixels, alignment: Alignment) -> Pixels:
    """The aligned picture (224, 224, 3) of a square one (S, S, 3), bicubic; black where that shows nothing."""
    side, left, top = alignment.resized_side, alignment.left, alignment.top
    x0, x1 = _visible(left, side)
    y0, y1 = _visible(top, side)
    aligned = np.zeros((ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
    if x0 < x1 and y0 < y1:
        # Only what is kept is resized: a small face in a large picture would need gigabytes.
        unit = alignment.side / side
        box = (x0 * unit, y0 * unit, x1 * unit, y1 * unit)
        part = Image.fromarray(pixels).resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC, box=box)
        aligned[y0 - top : y1 - top, x0 - left : x1 - left] = np.asarray(part)
    return aligned


def _visible(start: int, length: int) -> tuple[int, int]:
    """Part of the resized picture's 0..length that lies in the aligned picture, which begins at ``start``."""
    return max(start, 0), min(start + ALIGNED_SIZE, length)
