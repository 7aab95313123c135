"""First reading of the video: where its face is in every frame, and which frames show it at rest and speaking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import FaceNotFoundError, SadTalkerError
from ..face.aperture import MOUTH, measure_aperture
from ..face.extract import MAX_OUTSIDE, MAX_TURN, MIN_EYE_DISTANCE
from ..face.landmarks import FaceLandmarker
from ..face.measures import eye_distance
from ..face.regions import OUTER_EYE_CORNERS
from ..face.tracking import follow_face
from ..progress import Progress

_OPEN_TURN = math.radians(20)
"""Yaw beyond which a frame is not chosen for what its mouth shows."""


@dataclass(frozen=True, slots=True)
class View:
    """One frame of the video."""

    picture: Tensor
    """(3, H, W)"""
    points: Tensor
    """(478, 3) its pixels"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the face does in the video."""

    points: Tensor
    """(F, 478, 3) pixels, on the CPU; NaN where no usable face was found"""
    gap: Tensor
    """(F,) largest opening of the mouth, in mouth widths; NaN likewise"""
    rest: View
    """the frame whose mouth is closed most"""
    open: View
    """the frame whose mouth is open most, turned little if there is one"""

    @property
    def found(self) -> Tensor:
        """(F,) bool"""
        return self.gap.isfinite()

    def __len__(self) -> int:
        return len(self.gap)


def survey_faces(
    landmarker: FaceLandmarker, frames: Iterable[Tensor], *, face_index: int, on_progress: Progress, total: int
) -> Survey:
    """Follow one face through frames (3, H, W); two of them are kept.

    Raises:
        FaceNotFoundError: no frame shows a usable face of that index.
        SadTalkerError: there are no frames.
    """
    points: list[Tensor] = []
    gaps: list[float] = []
    views: dict[str, tuple[float, View]] = {}
    for pictures, found, _ in follow_face(landmarker, frames, face_index=face_index):
        for picture, place in zip(pictures, found, strict=True):
            gap = math.nan
            if _usable(place, picture.shape[2], picture.shape[1]):
                gap = mouth_gap(place)
                openness = gap - (10 if abs(_yaw(place)) > _OPEN_TURN else 0)
                for name, value in (("rest", -gap), ("open", openness)):
                    if name not in views or value > views[name][0]:
                        views[name] = value, View(picture.clone(), place)
            points.append(place)
            gaps.append(gap)
        on_progress(len(gaps), max(len(gaps), total))
    if not gaps:
        raise SadTalkerError("The video has no frames. Choose another one, or connect images.")
    if not views:
        which = f" of index {face_index}" if face_index else ""
        raise FaceNotFoundError(
            f"None of the {len(gaps)} frames of the video shows a usable face{which}. Use a video of a person whose "
            "face is seen from the front and fills at least a tenth of the picture."
        )
    return Survey(torch.stack(points), torch.tensor(gaps), views["rest"][1], views["open"][1])


def mouth_gap(points: Tensor) -> float:
    """Largest opening of the lips of landmarks (478, 3), in mouth widths."""
    mouth = measure_aperture(MOUTH, points[None])
    return float((mouth.heights[:, 0] - mouth.heights[:, 1]).amax() / mouth.length[0])


def _usable(points: Tensor, width: int, height: int) -> bool:
    if not points.isfinite().all() or eye_distance(points) < MIN_EYE_DISTANCE or abs(_yaw(points)) > MAX_TURN:
        return False
    x, y = points[:, 0], points[:, 1]
    outside = ((x < 0) | (y < 0) | (x > width) | (y > height)).float().mean()
    return float(outside) <= MAX_OUTSIDE


def _yaw(points: Tensor) -> float:
    """How far the line through the eyes points out of the picture, radians."""
    left, right = OUTER_EYE_CORNERS
    across, _, depth = (points[right] - points[left]).tolist()
    return math.atan2(depth, across)
