"""A video -> the 478 points of its main face in every frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ..checks import check_shape
from ..progress import Progress, no_progress
from .landmark_networks import MESH_POINTS
from .landmarks import MIN_SCORE, FaceDetection, FaceLandmarker, FaceRegion, regions_of_points

_CHECK_EVERY = 25
"""Frames after which the detector is asked whether the face is still where we follow it."""
_MAX_DISTANCE = 0.08
"""Frames whose face is further (``FaceRegion.distance``) from the batch's region run again with their own."""
_RERUNS = 2


@dataclass(frozen=True, slots=True)
class LandmarkTrack:
    """The points of one face over time."""

    points: Tensor
    """(T, 478, 3) float32 frame pixels, z in the same unit, negative towards the camera; NaN where there is no face"""
    presence: Tensor
    """(T,) how sure the network is, from 0.5 to 1; 0 where there is no face"""

    def __post_init__(self) -> None:
        size = check_shape("LandmarkTrack.points", self.points, f"T {MESH_POINTS} 3")["T"]
        check_shape("LandmarkTrack.presence", self.presence, str(size))

    def __len__(self) -> int:
        return self.points.shape[0]


def track_landmarks(
    landmarker: FaceLandmarker,
    frames: Iterable[Tensor],
    *,
    batch_size: int = 4,
    on_progress: Progress = no_progress,
) -> LandmarkTrack:
    """Follow the largest face through a video.

    The networks run on the device of the frames; the track is on the CPU.

    Args:
        frames: pictures (3, H, W) in [0, 1], all of one size, in order; read as they are needed.
        batch_size: frames that share the region in which the face is looked for. On a processor 4 is fastest; a
            graphics card gains from 16 or 32 as long as the head moves slowly.

    Raises:
        ShapeError: a frame is no picture, or of another size than the first.
    """
    points: list[Tensor] = []
    presence: list[Tensor] = []
    done, total = 0, len(frames) if isinstance(frames, Sized) else 0
    for batch, found, sure in follow_face(landmarker, frames, batch_size=batch_size):
        points.append(found)
        presence.append(sure)
        done += len(batch)
        on_progress(done, max(done, total))
    if not points:
        return LandmarkTrack(torch.zeros(0, MESH_POINTS, 3), torch.zeros(0))
    return LandmarkTrack(torch.cat(points), torch.cat(presence))


def follow_face(
    landmarker: FaceLandmarker, frames: Iterable[Tensor], *, batch_size: int = 4, face_index: int = 0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Follow one face through a video, batch by batch; no frame is kept. Arguments as in ``track_landmarks``.

    Args:
        face_index: which face, 0 the largest, of the first frame that shows so many. Of several faces, one that was
            lost is the one nearest to where it was.

    Yields frames (B, 3, H, W) with their points (B, 478, 3), NaN where there is no face, and presence (B,), both on
    the CPU.
    """
    tracker = _Tracker(landmarker, face_index)
    for batch in _batches(frames, batch_size):
        yield batch, *tracker.follow(batch)


class _Tracker:
    """Where the face was last, and when it was last looked for."""

    def __init__(self, landmarker: FaceLandmarker, face_index: int) -> None:
        self.landmarker = landmarker
        self.face_index = face_index
        self.region: FaceRegion | None = None
        self.last: FaceRegion | None = None
        self.frame = 0
        self.next_check = 0
        self.next_search = 0

    def follow(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, 478, 3) and presence (B,) of the next frames (B, 3, H, W), on the CPU."""
        count = frames.shape[0]
        points = torch.full((count, MESH_POINTS, 3), torch.nan)
        presence = torch.zeros(count)
        position = 0
        self._check(frames[0])
        while position < count:
            fresh = self.region is None
            if fresh:
                position += self._find(frames[position:])
            if self.region is None:
                break
            found, sure = self._follow_region(frames[position:], self.region)
            good = _leading(sure >= MIN_SCORE)
            points[position : position + good], presence[position : position + good] = found[:good], sure[:good]
            if good:
                self.region = self.last = regions_of_points(found[good - 1 : good])[0]
            position += good
            if position < count:
                # Look anew in the frame where it was lost, unless it was found there a moment ago.
                position += int(fresh and not good)
                self.region = None
        self.frame += count
        return points, presence

    def _follow_region(self, frames: Tensor, region: FaceRegion) -> tuple[Tensor, Tensor]:
        """Run the mesh network on one region of all frames, then again where the face has moved away from it."""
        found, sure = (result.cpu() for result in self.landmarker.landmarks_each(frames, region))
        for index, own in enumerate(regions_of_points(found)):
            used = region
            for _ in range(_RERUNS):
                if sure[index] < MIN_SCORE or used.distance(own) <= _MAX_DISTANCE:
                    break
                again, again_sure = self.landmarker.landmarks_each(frames[index : index + 1], own)
                found[index], sure[index] = again[0], again_sure[0]
                used, own = own, regions_of_points(again)[0]
        return found, sure

    def _check(self, frame: Tensor) -> None:
        """Give up the region if the detector sees faces, but all of them elsewhere."""
        if self.region is None or self.frame < self.next_check:
            return
        self.next_check = self.frame + _CHECK_EVERY
        region = self.region
        faces = self.landmarker.detect_each(frame[None])[0]
        if faces and not any(_holds(region, face) for face in faces):
            self.region = None

    def _find(self, frames: Tensor) -> int:
        """Set ``region`` to our face in the first of ``frames`` that shows it; returns how many to skip."""
        for index, faces in enumerate(self.landmarker.detect_each(frames)):
            if not faces and self.frame >= self.next_search:
                self.next_search = self.frame + _CHECK_EVERY
                faces = self.landmarker.detect(frames[index])  # small faces take longer to find
            for face in self._candidates(frames[index], faces):
                landmarks = self.landmarker.landmarks(frames[index], face)
                if landmarks.presence >= MIN_SCORE:
                    self.region = regions_of_points(landmarks.points[None])[0]
                    self.next_check = self.frame + _CHECK_EVERY
                    return index
        return frames.shape[0]

    def _candidates(self, frame: Tensor, faces: Sequence[FaceDetection]) -> Sequence[FaceDetection]:
        """Which of the faces of a frame (3, H, W), the largest first, may be ours; the likeliest first."""
        last = self.last
        if self.face_index == 0:
            return faces
        if last is not None:
            return sorted(faces, key=lambda face: _distance(last, face))
        return self.landmarker.detect_all(frame)[self.face_index :][:1] if faces else faces


def _distance(region: FaceRegion, face: FaceDetection) -> float:
    left, top, right, bottom = face.box.tolist()
    return math.hypot(region.x - (left + right) / 2, region.y - (top + bottom) / 2)


def _holds(region: FaceRegion, face: FaceDetection) -> bool:
    left, top, right, bottom = face.box.tolist()
    return left < region.x < right and top < region.y < bottom


def _leading(flags: Tensor) -> int:
    """How many of the first entries (N,) are true before one is not."""
    return int(flags.long().cumprod(0).sum())


def _batches(frames: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    iterator = iter(frames)
    expected = "3 H W"
    while batch := list(islice(iterator, size)):
        for frame in batch:
            check_shape("frame", frame, expected)
            expected = f"3 {frame.shape[1]} {frame.shape[2]}"
        yield torch.stack(batch)
