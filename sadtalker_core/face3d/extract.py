"""A picture becomes a ``SourceFace``: find the face, crop it, fit the 3DMM."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_shape
from ..errors import FaceNotFoundError, SadTalkerError
from ..flow import MODEL_FPS, Coefficients, Crop, SourceFace
from .landmarks import FaceDetection

if TYPE_CHECKING:
    from ..pack import Pack

FRAMINGS = ("crop", "full")
MIN_SIZE, MAX_SIZE = 256, 1024
"""Smallest and largest longer side of the rendered picture, pixels."""
MIN_EYE_DISTANCE = 16.0
"""Outer eye corners closer than this many picture pixels leave nothing to animate."""
MAX_TURN = math.radians(40)
"""Yaw beyond which one half of the face is hidden and cannot be rendered."""
MAX_OUTSIDE = 0.08
"""Share of the landmarks that may lie outside the picture."""
_CROP_HALF_WIDTH = 1.6
"""Half the side of the crop in distances between the outer eye corners: head, hair and the top of the shoulders."""
_CROP_BELOW_EYES = 0.35
"""How far the crop's centre lies below the eyes, same unit."""


def extract_face(
    pack: Pack, picture: Tensor, *, face_index: int = 0, framing: str = "crop", size: int = 512
) -> SourceFace:
    """Prepare a portrait.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        face_index: which face, 0 = the largest.
        framing: 'crop' renders a square around the head, 'full' the whole picture.
        size: longer side of the rendered picture in pixels; 'full' never enlarges the picture.

    Raises:
        FaceNotFoundError: no face, no face of that index, or one that is too small, cut off, or turned away.
        SadTalkerError: an argument is out of its range.
    """
    check_shape("picture", picture, "3 H W")
    if framing not in FRAMINGS:
        raise SadTalkerError(f"framing must be one of {', '.join(FRAMINGS)}; got '{framing}'.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise SadTalkerError(f"size must lie in {MIN_SIZE}..{MAX_SIZE} pixels; got {size}.")
    height, width = picture.shape[1:]
    detection = _choose(pack.landmarker.detect(picture), face_index, width, height)
    found = pack.landmarker.landmarks(picture, detection)
    points = found.points
    if found.presence < 0.5:
        raise FaceNotFoundError(
            f"Something like a face was found in the {width}x{height} picture, but its features were not "
            f"(confidence {found.presence:.2f}, needed 0.5). Use a clear view of the face from the front."
        )
    _check_usable(points, width, height)
    crop = _crop_of_face(points, width, height, size) if framing == "crop" else _crop_of_picture(width, height, size)
    cropped = crop_picture(picture, crop)
    landmarks = _landmarks_in_crop(points, crop)
    fit = pack.model.fit(landmarks[None], crop.width, crop.height)
    yaw = float(fit.pose[0, 1])
    if abs(yaw) > MAX_TURN:
        raise FaceNotFoundError(
            f"The face is turned {abs(math.degrees(yaw)):.0f} degrees to the side; at most "
            f"{math.degrees(MAX_TURN):.0f} can be animated. Use a picture that shows both eyes and both mouth corners."
        )
    coefficients = Coefficients(pack.basis, MODEL_FPS, expression=fit.expression, pose=fit.pose)
    return SourceFace(picture, cropped, crop, landmarks, fit.identity[0], coefficients)


def crop_picture(picture: Tensor, crop: Crop) -> Tensor:
    """The part (3, crop.height, crop.width) of ``picture`` (3, H, W), resampled without aliasing."""
    part = picture[None, :, crop.top : crop.bottom, crop.left : crop.right]
    if part.shape[2:] == (crop.height, crop.width):
        return part[0]
    resized = F.interpolate(part, (crop.height, crop.width), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def _choose(detections: tuple[FaceDetection, ...], face_index: int, width: int, height: int) -> FaceDetection:
    if not detections:
        raise FaceNotFoundError(
            f"No face was found in the {width}x{height} picture. Use a portrait that shows the whole face from the "
            "front, upright and not too dark; for a drawing, one with clearly drawn eyes and mouth."
        )
    if not 0 <= face_index < len(detections):
        raise FaceNotFoundError(
            f"The picture shows {len(detections)} face(s), so face_index must lie in 0..{len(detections) - 1} "
            f"(0 is the largest); got {face_index}."
        )
    return detections[face_index]


def _check_usable(points: Tensor, width: int, height: int) -> None:
    eyes = _eye_distance(points)
    if eyes < MIN_EYE_DISTANCE:
        raise FaceNotFoundError(
            f"The face is too small: its eyes are {eyes:.0f} pixels apart, at least {MIN_EYE_DISTANCE:.0f} are needed. "
            f"Use a larger picture than {width}x{height}, or one cut closer to the face."
        )
    x, y = points[:, 0], points[:, 1]
    outside = ((x < 0) | (y < 0) | (x > width) | (y > height)).float().mean().item()
    if outside > MAX_OUTSIDE:
        raise FaceNotFoundError(
            f"The face is cut by the border of the {width}x{height} picture: {outside:.0%} of it lies outside. "
            "Use a picture with some room around the face, or choose another face with face_index."
        )


def _eye_distance(points: Tensor) -> float:
    return float((points[33, :2] - points[263, :2]).norm())


def _crop_of_face(points: Tensor, width: int, height: int, size: int) -> Crop:
    eyes, eye_distance = (points[33, :2] + points[263, :2]) / 2, _eye_distance(points)
    # In a turned head the eyes come closer in the picture; the height of the face does not shrink with them.
    face_height = float((points[10, :2] - points[152, :2]).norm())
    unit = max(eye_distance, face_height / 2.0)
    centre_x, centre_y = float(eyes[0]), float(eyes[1]) + _CROP_BELOW_EYES * unit
    half = _CROP_HALF_WIDTH * unit
    left, right = _span(centre_x, half, width)
    top, bottom = _span(centre_y, half, height)
    scale = size / max(right - left, bottom - top)
    return Crop(left, top, right, bottom, _even((right - left) * scale), _even((bottom - top) * scale))


def _crop_of_picture(width: int, height: int, size: int) -> Crop:
    scale = min(1.0, size / max(width, height))
    return Crop(0, 0, width, height, _even(width * scale), _even(height * scale))


def _span(centre: float, half: float, limit: int) -> tuple[int, int]:
    """Interval of 2 * half around ``centre``, moved into 0..limit, and shortened only if it is longer than that."""
    length = min(round(2 * half), limit)
    start = min(max(round(centre - length / 2), 0), limit - length)
    return start, start + length


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _landmarks_in_crop(points: Tensor, crop: Crop) -> Tensor:
    scale_x, scale_y = crop.scale
    offset = points.new_tensor((crop.left, crop.top, 0.0))
    return (points - offset) * torch.tensor((scale_x, scale_y, math.sqrt(scale_x * scale_y))).to(points)
