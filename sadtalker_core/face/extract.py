"""A picture becomes a ``SourceFace``: find the face, see whether it can be used, hand it to the pack's extractor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ..checks import check_shape
from ..errors import FaceNotFoundError, SadTalkerError
from ..flow import SourceFace
from .extractor import Extractor
from .framing import FRAMINGS, MAX_SIZE, MIN_SIZE, OWN_SIZE
from .landmarks import FaceDetection, FaceLandmarker
from .manual import landmarks_from_points, landmarks_in_region
from .measures import eye_distance

FACE_ORDERS = ("largest first", "left to right")
"""What an index of a face counts."""
MIN_EYE_DISTANCE = 16.0
"""Outer eye corners closer than this many picture pixels leave nothing to animate."""
MAX_TURN = math.radians(40)
"""Yaw beyond which one half of the face is hidden and cannot be rendered."""
MAX_OUTSIDE = 0.08
"""Share of the landmarks that may lie outside the picture."""


def extract_face(
    landmarker: FaceLandmarker,
    extractor: Extractor,
    picture: Tensor,
    *,
    face_index: int = 0,
    framing: str = "crop",
    size: int = 512,
    face_order: str = FACE_ORDERS[0],
    region: Tensor | None = None,
    points: Tensor | None = None,
) -> SourceFace:
    """Prepare a portrait.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        face_index: which face, counted as ``face_order`` says, from 0.
        framing: one of ``FRAMINGS``.
        size: longer side of the frames in pixels, or ``OWN_SIZE``; the official networks draw no more than theirs.
        face_order: one of ``FACE_ORDERS``.
        region: (H, W) above 0.5 where the face is, for one that is not found, or among many; the index then has no
            meaning.
        points: (5, 2) or (68, 2) pixels of the picture, see ``manual.landmarks_from_points``: nothing is looked for.

    Raises:
        FaceNotFoundError: no face, no face of that index, or one that is too small, cut off, or turned away.
        SadTalkerError: an argument is out of its range.
    """
    check_shape("picture", picture, "3 H W")
    if framing not in FRAMINGS:
        raise SadTalkerError(f"framing must be one of {', '.join(FRAMINGS)}; got '{framing}'.")
    if not (size == OWN_SIZE or MIN_SIZE <= size <= MAX_SIZE):
        raise SadTalkerError(
            f"size must lie in {MIN_SIZE}..{MAX_SIZE} pixels; got {size}. {OWN_SIZE} stands for the crop's own size."
        )
    height, width = picture.shape[1:]
    if points is not None:
        landmarks = landmarks_from_points(points.to(picture), width, height)
        _check_usable(landmarks, width, height)
    elif region is not None:
        landmarks = landmarks_in_region(landmarker, picture, region)
        _check_usable(landmarks, width, height)
    else:
        landmarks = find_landmarks(landmarker, picture, face_index, face_order)
    return extractor.extract(picture, landmarks, framing=framing, size=size)


def find_landmarks(
    landmarker: FaceLandmarker, picture: Tensor, face_index: int, face_order: str = FACE_ORDERS[0]
) -> Tensor:
    """Landmarks (478, 3) of a usable face, in pixels of ``picture`` (3, H, W); z in the same unit.

    Raises:
        FaceNotFoundError: no face, no face of that index, or one that is too small or cut off.
        SadTalkerError: there is no such order.
    """
    height, width = picture.shape[1:]
    # The largest is found without looking for the smallest.
    few = face_index == 0 and face_order == FACE_ORDERS[0]
    detections = landmarker.detect(picture) if few else find_faces(landmarker, picture, face_order)
    detection = _choose(detections, face_index, face_order, width, height)
    found = landmarker.landmarks(picture, detection)
    if found.presence < 0.5:
        raise FaceNotFoundError(
            f"Something like a face was found in the {width}x{height} picture, but its features were not "
            f"(confidence {found.presence:.2f}, needed 0.5). Use a clear view of the face from the front."
        )
    _check_usable(found.points, width, height)
    return found.points


def find_faces(landmarker: FaceLandmarker, picture: Tensor, face_order: str) -> Sequence[FaceDetection]:
    """All faces of ``picture`` (3, H, W) that are large enough to be animated, in an order of ``FACE_ORDERS``."""
    if face_order not in FACE_ORDERS:
        raise SadTalkerError(f"face_order must be one of {', '.join(FACE_ORDERS)}; got '{face_order}'.")
    boxes = [face for face in landmarker.detect_all(picture) if face.box[2] - face.box[0] >= 2 * MIN_EYE_DISTANCE]
    if face_order == FACE_ORDERS[0]:
        return boxes
    return sorted(boxes, key=lambda face: float(face.box[0] + face.box[2]))


def _choose(
    detections: Sequence[FaceDetection], face_index: int, face_order: str, width: int, height: int
) -> FaceDetection:
    if not detections:
        raise FaceNotFoundError(
            f"No face was found in the {width}x{height} picture. Use a portrait that shows the whole face from the "
            "front, upright and not too dark; for a drawing, one with clearly drawn eyes and mouth. If there is one, "
            "paint a mask over it, or give its points."
        )
    if not 0 <= face_index < len(detections):
        first = "the largest" if face_order == FACE_ORDERS[0] else "on the left"
        raise FaceNotFoundError(
            f"The picture shows {len(detections)} face(s), so face_index must lie in 0..{len(detections) - 1} "
            f"(0 is {first}); got {face_index}."
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
