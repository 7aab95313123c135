"""Which part of a picture the official networks see, from the 68 points of the face.

The networks were trained on such crops, so the arithmetic is the original's to the pixel, with its oddities: the lower
edge is bounded by the picture's width, and the frames' proportions are those of the face's box in every framing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import FaceNotFoundError

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom exclusive"""

_GEOMETRY_SIZE = 512
"""Side of the crops that the geometry was written for, whatever the networks' own size."""
_ROOM = 0.1
_SMALLEST_ROOM = 3
"""Room on each side of the face's box in the extended one: fraction of the box's side, and at least so many pixels."""


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """Boxes around a face."""

    width: int
    height: int
    """size of the picture after the reduction of very large ones; all boxes are in its pixels"""
    extended: Box
    """the face with room around it, inside the picture"""
    edges: tuple[float, float, float, float]
    """left, top, right, bottom of the face in pixels of the extended box; right and bottom may lie outside it"""

    @property
    def proportions(self) -> tuple[int, int]:
        """Width and height whose ratio the frames have."""
        left, top, right, bottom = map(int, self.edges)
        return right - left, bottom - top

    @property
    def face(self) -> Box:
        """The face without room around it, inside the picture."""
        left, top, right, bottom = self.extended
        inner_left, inner_top, inner_right, inner_bottom = map(int, self.edges)
        return left + inner_left, top + inner_top, min(left + inner_right, right), min(top + inner_bottom, bottom)

    def in_picture(self, box: Box, width: int, height: int) -> Box:
        """A box in pixels of the original picture of width x height."""
        across, down = width / self.width, height / self.height
        return round(box[0] * across), round(box[1] * down), round(box[2] * across), round(box[3] * down)


def crop_geometry(landmarks: Array, width: int, height: int) -> CropGeometry:
    """Boxes around the face with the 68 points (68, 2), in pixels of a picture of width x height."""
    corners, side = _face_square(landmarks)
    shrink = math.floor(side / _GEOMETRY_SIZE * 0.5)
    if shrink > 1:
        width, height = round(width / shrink), round(height / shrink)
        corners, side = corners / shrink, side / shrink
    room = max(round(side * _ROOM), _SMALLEST_ROOM)
    low, high = np.floor(corners.min(0)), np.ceil(corners.max(0))
    left, top = max(int(low[0]) - room, 0), max(int(low[1]) - room, 0)
    right, bottom = min(int(high[0]) + room, width), min(int(high[1]) + room, height)
    corners = corners - (left, top) + 0.5
    (x0, y0), (x1, y1) = corners.min(0).tolist(), corners.max(0).tolist()
    # The height's bound is the width, too: an oversight of the original that its results depend on.
    edges = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(width)))
    return CropGeometry(width, height, (left, top, right, bottom), edges)


def whole_geometry(width: int, height: int) -> CropGeometry:
    """The whole picture in place of the face."""
    return CropGeometry(width, height, (0, 0, width, height), (0.0, 0.0, float(width), float(height)))


def square_picture(pixels: Pixels, geometry: CropGeometry, box: Box, size: int) -> Pixels:
    """The part of a picture (H, W, 3) in one of the geometry's boxes, squeezed to (size, size, 3)."""
    left, top, right, bottom = box
    return _resized(_resized(pixels, geometry.width, geometry.height)[top:bottom, left:right], size, size)


def _face_square(landmarks: Array) -> tuple[Array, float]:
    """Corners (4, 2) of the square around a face that stands upright in it, and its side."""
    left_eye, right_eye = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    eyes, between = (left_eye + right_eye) / 2, right_eye - left_eye
    to_mouth = (landmarks[48] + landmarks[54]) / 2 - eyes
    x = between - _quarter_turn(to_mouth)
    length = np.hypot(*x)
    if length == 0:
        raise FaceNotFoundError("The landmarks of the face all lie in one place. Find the face again.")
    x *= max(np.hypot(*between) * 2, np.hypot(*to_mouth) * 1.8) / length
    y = _quarter_turn(x)
    centre = eyes + 0.1 * to_mouth
    return np.stack((centre - x - y, centre - x + y, centre + x + y, centre + x - y)), 2 * float(np.hypot(*x))


def _quarter_turn(vector: Array) -> Array:
    """Clockwise as seen in a picture, whose y runs down."""
    return np.array((-vector[1], vector[0]))


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)  # pyright: ignore[reportReturnType]
