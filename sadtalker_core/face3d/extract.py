"""A picture becomes a ``SourceFace``: find the face, see whether it can be used, hand it to the pack's extractor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ..checks import check_shape
from ..errors import FaceNotFoundError, SadTalkerError
from ..flow import SourceFace
from .landmarks import FaceDetection
from .regions import OUTER_EYE_CORNERS

if TYPE_CHECKING:
    from ..pack import Landmarker, Pack

FRAMINGS = ("crop", "extcrop", "resize", "full", "extfull")
"""Which part of the picture is rendered. crop: head; extcrop: with more around it; resize: the whole picture; full and
extfull: as crop and extcrop, meant to be pasted back into the picture (the open pack animates the whole picture)."""
PASTED_FRAMINGS = ("full", "extfull")
MIN_SIZE, MAX_SIZE = 256, 1024
"""Smallest and largest longer side of the frames, pixels."""
MIN_EYE_DISTANCE = 16.0
"""Outer eye corners closer than this many picture pixels leave nothing to animate."""
MAX_OUTSIDE = 0.08
"""Share of the landmarks that may lie outside the picture."""


def extract_face(
    pack: Pack, picture: Tensor, *, face_index: int = 0, framing: str = "crop", size: int = 512
) -> SourceFace:
    """Prepare a portrait.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        face_index: which face, 0 = the largest.
        framing: one of ``FRAMINGS``.
        size: longer side of the frames in pixels; frames are never larger than the picture or the networks allow.

    Raises:
        FaceNotFoundError: no face, no face of that index, or one that is too small, cut off, or turned away.
        SadTalkerError: an argument is out of its range.
    """
    check_shape("picture", picture, "3 H W")
    if framing not in FRAMINGS:
        raise SadTalkerError(f"framing must be one of {', '.join(FRAMINGS)}; got '{framing}'.")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise SadTalkerError(f"size must lie in {MIN_SIZE}..{MAX_SIZE} pixels; got {size}.")
    points = find_landmarks(pack.landmarker, picture, face_index)
    return pack.extractor.extract(picture, points, framing=framing, size=size)


def find_landmarks(landmarker: Landmarker, picture: Tensor, face_index: int) -> Tensor:
    """Landmarks (478, 3) of a usable face, in pixels of ``picture`` (3, H, W); z in the same unit.

    Raises:
        FaceNotFoundError: no face, no face of that index, or one that is too small or cut off.
    """
    height, width = picture.shape[1:]
    detection = _choose(landmarker.detect(picture), face_index, width, height)
    found = landmarker.landmarks(picture, detection)
    if found.presence < 0.5:
        raise FaceNotFoundError(
            f"Something like a face was found in the {width}x{height} picture, but its features were not "
            f"(confidence {found.presence:.2f}, needed 0.5). Use a clear view of the face from the front."
        )
    _check_usable(found.points, width, height)
    return found.points


def eye_distance(points: Tensor) -> float:
    """Between the outer eye corners of landmarks (478, 3), in the picture plane, in their unit."""
    left, right = OUTER_EYE_CORNERS
    return float((points[left, :2] - points[right, :2]).norm())


def _choose(detections: Sequence[FaceDetection], face_index: int, width: int, height: int) -> FaceDetection:
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
    eyes = eye_distance(points)
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
