"""Which part of a picture is rendered: boxes around faces, and cutting them out."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..flow import Crop
from .framing import OWN_SIZE, own_size
from .measures import eye_distance
from .regions import OUTER_EYE_CORNERS

_BELOW_EYES = 0.35
"""How far a crop's centre lies below the eyes, in distances between the outer eye corners."""


def crop_picture(picture: Tensor, crop: Crop) -> Tensor:
    """The part (3, crop.height, crop.width) of ``picture`` (3, H, W), resampled without aliasing."""
    part = picture[None, :, crop.top : crop.bottom, crop.left : crop.right]
    if part.shape[2:] == (crop.height, crop.width):
        return part[0]
    resized = F.interpolate(part, (crop.height, crop.width), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def face_crop(points: Tensor, width: int, height: int, size: int, radius: float) -> Crop:
    """A square around the face with landmarks (478, 3), cut shorter only where the picture is.

    Args:
        width, height: of the picture, pixels.
        size: longer side of the frames, pixels, or ``OWN_SIZE``.
        radius: half of the square's side in distances between the outer eye corners.
    """
    eyes = points[list(OUTER_EYE_CORNERS), :2].mean(0)
    # In a turned head the eyes come closer in the picture; the height of the face does not shrink with them.
    face_height = float((points[10, :2] - points[152, :2]).norm())
    unit = max(eye_distance(points), face_height / 2.0)
    centre_x, centre_y = float(eyes[0]), float(eyes[1]) + _BELOW_EYES * unit
    half = radius * unit
    left, right = _span(centre_x, half, width)
    top, bottom = _span(centre_y, half, height)
    longer = max(right - left, bottom - top)
    scale = (own_size(longer) if size == OWN_SIZE else size) / longer
    return Crop(left, top, right, bottom, even_length((right - left) * scale), even_length((bottom - top) * scale))


def whole_picture(width: int, height: int, size: int) -> Crop:
    """All of a picture, reduced to a longer side of ``size`` pixels, or as of ``OWN_SIZE``, if it is longer."""
    longer = max(width, height)
    scale = min(1.0, (own_size(longer) if size == OWN_SIZE else size) / longer)
    return Crop(0, 0, width, height, even_length(width * scale), even_length(height * scale))


def _span(centre: float, half: float, limit: int) -> tuple[int, int]:
    """Interval of 2 * half around ``centre``, moved into 0..limit, and shortened only if it is longer than that."""
    length = min(round(2 * half), limit)
    start = min(max(round(centre - length / 2), 0), limit - length)
    return start, start + length


def even_length(length: float) -> int:
    """The even number of pixels nearest to a length, at least 2: what video encoders take."""
    return max(2, 2 * round(length / 2))


def landmarks_in_crop(points: Tensor, crop: Crop) -> Tensor:
    """Landmarks (N, 3), pixels of the picture, in pixels of its crop; z in the same unit."""
    scale_x, scale_y = crop.scale
    offset = points.new_tensor((crop.left, crop.top, 0.0))
    return (points - offset) * torch.tensor((scale_x, scale_y, math.sqrt(scale_x * scale_y))).to(points)
