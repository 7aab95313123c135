"""A film of a face -> the clip that metrics see: 25 frames a second, its start only, cropped to the face.

Face crop as in Siarohin et al., "First order motion model for image animation", 2019: one box for the whole clip, the
union of the faces' boxes in all its frames, enlarged by a tenth on each side and made square (paper, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..checks import check_shape
from ..errors import FaceNotFoundError, SadTalkerError
from ..face.crop import crop_picture, landmarks_in_crop
from ..face.landmarks import FaceLandmarker
from ..face.regions import OUTER_EYE_CORNERS
from ..face.tracking import track_landmarks
from ..flow import MODEL_FPS, SAMPLE_RATE, Crop, Waveform
from ..progress import Progress, no_progress
from .networks.syncnet import FRAME_SIZE
from .sync_view import cut_sync_view, sync_boxes
from .video_metrics import CLIP_SECONDS, CLIP_SIZE, VideoClip

Picture = TypeVar("Picture")
ENLARGEMENT = 0.1
"""Added to the faces' box on each side, as a fraction of its longer side."""
_SAME_PLACE = 0.25
"""Two films show the same part of a picture if their first faces lie apart by no more than this fraction of the eyes'
distance, and differ no more in size."""


@dataclass(frozen=True, slots=True)
class Film:
    """The start of a video, read anew each time its pictures are asked for."""

    name: str
    pictures: Callable[[], Iterable[Tensor]]
    """(3, H, W) in [0, 1] at 25 frames a second, as in ``at_model_rate``; each is used once and not kept"""
    waveform: Waveform | None = None
    """sound from the first picture on; None for a silent video"""


@dataclass(frozen=True, slots=True)
class TrackedFilm:
    """A film and where its face is."""

    film: Film
    points: Tensor
    """(T, 478, 3) landmarks, pixels of the whole picture; NaN where no face was found"""
    width: int
    height: int


def at_model_rate(
    timed: Iterable[tuple[float, Picture]], fps: float, seconds: float = CLIP_SECONDS
) -> Iterator[Picture]:
    """The pictures on show at 0, 1/25, 2/25 ... seconds, up to ``seconds``.

    Args:
        timed: pictures with the seconds at which each appears, counted from the first, in order.
        fps: how many there are a second; the last stays for one of its frames.
    """
    limit, slot, shown, end = round(seconds * MODEL_FPS), 0, None, 0.0
    for appears, picture in timed:
        while shown is not None and slot < limit and slot / MODEL_FPS < appears - _TIME_STEP:
            yield shown
            slot += 1
        if slot >= limit:
            return
        shown, end = picture, appears + 1 / fps
    while shown is not None and slot < limit and slot / MODEL_FPS < end - _TIME_STEP:
        yield shown
        slot += 1


_TIME_STEP = 1e-3
"""Seconds by which the times of frames are rounded in files."""


def track_film(film: Film, landmarker: FaceLandmarker, on_progress: Progress = no_progress) -> TrackedFilm:
    """Find the face in every picture.

    Raises:
        FaceNotFoundError: none of them shows one.
    """
    sizes: list[tuple[int, int]] = []

    def measured() -> Iterator[Tensor]:
        for picture in film.pictures():
            sizes.append((picture.shape[2], picture.shape[1]))
            yield picture

    points = track_landmarks(landmarker, measured(), on_progress=on_progress).points
    if points.isnan().any(-1).any(-1).all():
        raise FaceNotFoundError(f"None of the {len(points)} frames measured of {film.name} shows a face.")
    return TrackedFilm(film, points, *sizes[0])


def face_clip(
    tracked: TrackedFilm,
    *,
    ground_truth: TrackedFilm | None = None,
    source: VideoClip | None = None,
    cropped: bool = False,
) -> VideoClip:
    """Cut the face out of a film, and out of the real video of the same input.

    Args:
        ground_truth: the real video. Where it shows the same part of the picture, its box counts for both.
        source: as of ``source_face``; without it the ground truth's first frame (paper, section 4.1).
        cropped: the films are face crops already; they are only resized.

    Raises:
        SadTalkerError: ``cropped`` films are not square.
    """
    same_view = ground_truth is not None and (cropped or _same_view(tracked, ground_truth))
    real = None
    if ground_truth is not None:
        real = _cut(ground_truth, _whole(ground_truth) if cropped else face_box(ground_truth))
        source = real if source is None else source
    if cropped:
        box = _whole(tracked)
    elif same_view and ground_truth is not None:
        box = _scaled(face_box(ground_truth), tracked.width / ground_truth.width, tracked.width, tracked.height)
    else:
        box = face_box(tracked)
    clip = replace(_cut(tracked, box), ground_truth=real, same_view=same_view)
    return clip if source is None else replace(clip, source=source.frames[0], source_points=source.points[0])


def source_face(picture: Tensor, landmarker: FaceLandmarker) -> VideoClip:
    """Face crop of a portrait (3, H, W) in [0, 1]: a clip of one frame.

    Raises:
        FaceNotFoundError: it shows no face.
    """
    tracked = track_film(Film("the portrait", lambda: [picture]), landmarker)
    return _cut(tracked, face_box(tracked))


def face_box(tracked: TrackedFilm) -> Crop:
    """The square around a film's face, inside its picture, to be resized to 256 pixels."""
    seen = tracked.points[~tracked.points.isnan().any(-1).any(-1)][..., :2].flatten(0, 1)
    low, high = seen.amin(0), seen.amax(0)
    side = float((high - low).max()) * (1 + 2 * ENLARGEMENT)
    centre = ((low + high) / 2).tolist()
    return _square(centre[0], centre[1], side, tracked.width, tracked.height)


def _square(x: float, y: float, side: float, width: int, height: int) -> Crop:
    """A square around (x, y), moved into the picture, and made smaller only where the picture is."""
    length = min(round(side), width, height)
    left = min(max(round(x - length / 2), 0), width - length)
    top = min(max(round(y - length / 2), 0), height - length)
    return Crop(left, top, left + length, top + length, CLIP_SIZE, CLIP_SIZE)


def _scaled(box: Crop, scale: float, width: int, height: int) -> Crop:
    x, y = (box.left + box.right) / 2 * scale, (box.top + box.bottom) / 2 * scale
    return _square(x, y, (box.right - box.left) * scale, width, height)


def _whole(tracked: TrackedFilm) -> Crop:
    if tracked.width != tracked.height:
        raise SadTalkerError(
            f"Face crops must be square, but {tracked.film.name} has {tracked.width} x {tracked.height} pixels. Leave "
            "the choice of already cropped videos out, and they are cropped here."
        )
    return Crop(0, 0, tracked.width, tracked.height, CLIP_SIZE, CLIP_SIZE)


def _same_view(one: TrackedFilm, other: TrackedFilm) -> bool:
    """Whether both pictures have one shape and show their first face at one place and size."""
    if abs(one.width * other.height / (one.height * other.width) - 1) > 0.02:
        return False
    count = min(len(one.points), len(other.points))
    seen = ~(one.points[:count] + other.points[:count]).isnan().any(-1).any(-1)
    if not bool(seen.any()):
        return False
    first = int(seen.nonzero()[0])
    (a, b), (c, d) = (t.points[first, list(OUTER_EYE_CORNERS), :2] / t.width for t in (one, other))
    distance, other_distance = float((a - b).norm()), float((c - d).norm())
    apart = float(((a + b) / 2 - (c + d) / 2).norm())
    return apart <= _SAME_PLACE * other_distance and abs(distance / other_distance - 1) <= _SAME_PLACE


def _cut(tracked: TrackedFilm, box: Crop) -> VideoClip:
    frames = torch.empty(len(tracked.points), 3, CLIP_SIZE, CLIP_SIZE, dtype=torch.uint8)
    views = torch.empty(len(tracked.points), 3, FRAME_SIZE, FRAME_SIZE, dtype=torch.uint8)
    boxes = sync_boxes(tracked.points)
    count = 0
    for count, picture in enumerate(tracked.film.pictures(), 1):
        check_shape(f"{tracked.film.name}: frame {count - 1}", picture, f"3 {tracked.height} {tracked.width}")
        frames[count - 1] = (crop_picture(picture, box) * 255).round().byte().cpu()
        views[count - 1] = cut_sync_view(picture, boxes[count - 1])
    waveform = tracked.film.waveform
    if waveform is not None:
        needed = count * SAMPLE_RATE // MODEL_FPS
        samples = waveform.samples[:needed]
        waveform = Waveform(torch.cat((samples, samples.new_zeros(needed - len(samples)))))
    points = landmarks_in_crop(tracked.points, box)
    return VideoClip(tracked.film.name, frames, points, waveform, sync_frames=views)
