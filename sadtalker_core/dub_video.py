"""A video's frames and a recording -> the frames in which the face speaks the recording.

Head, eyes, body and background stay the video's; mouth, jaw and cheeks are drawn anew in every frame. The video is read
twice, once to follow the face and once to draw, and never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor
from torch.nn import functional as F

from .audio.windows import frame_count, mel_windows
from .dub.survey import Survey, survey_faces
from .errors import FaceNotFoundError, SadTalkerError
from .face.motion import MISSING
from .flow import SAMPLE_RATE, Coefficients, Waveform
from .pack import Pack
from .progress import Progress, no_progress, part_of

LENGTHS = ("speech", "video")
"""How long the result is. speech: as the recording; a shorter video runs back and forth, a longer one is cut. video: as
the video; in a shorter recording's place there is silence, with the mouth at rest, and a longer one is cut."""
_HELD_BYTES = 2**29
"""Frames that may be kept to be shown in reverse."""


@dataclass(frozen=True, slots=True)
class DubOptions:
    """What a user may choose."""

    expression_scale: float = 1.0
    face_index: int = 0
    """0 is the largest face of the first frame that shows one"""
    missing: str = "error"
    """one of ``face3d.video.MISSING``, for frames that show no usable face. hold: it is taken to be where it was last;
    skip: the frame stays as it is"""
    length: str = "speech"
    """one of ``LENGTHS``"""


def dub(
    pack: Pack,
    frames: Iterable[Tensor],
    fps: float,
    waveform: Waveform,
    options: DubOptions | None = None,
    *,
    on_progress: Progress = no_progress,
) -> Iterator[Tensor]:
    """Pictures (3, H, W) of the dubbed video, in order; odd sides lose their last row or column.

    Args:
        frames: pictures (3, H, W) in [0, 1], all of one size, in order. They are read several times, from the start.
        fps: of the video, and of the result.

    Raises:
        FaceNotFoundError: no frame shows the face, or one does not and ``missing`` is "error".
        SadTalkerError: the video has no frames, or an argument is out of its range.
    """
    options = options or DubOptions()
    for name, value, allowed in (("missing", options.missing, MISSING), ("length", options.length, LENGTHS)):
        if value not in allowed:
            raise SadTalkerError(f"{name} must be one of {', '.join(allowed)}; got '{value}'.")
    if not 0 < fps <= 240:
        raise SadTalkerError(f"The video must have above 0 and at most 240 frames a second, got {fps}.")
    wanted = frame_count(len(waveform.samples), fps) if options.length == "speech" else None
    known = len(frames) if isinstance(frames, Sized) else 0
    known = min(known, wanted) if known and wanted else known
    # Following the face is the smaller part of the work.
    following = part_of(on_progress, 0, 5, steps=200)
    drawing = part_of(on_progress, 1, 5, length=4, steps=200)
    survey = survey_faces(
        pack.landmarker,
        islice(iter(frames), wanted),
        face_index=options.face_index,
        on_progress=following,
        total=known,
    )
    places = _places(survey, fps, options.missing)
    order = back_and_forth(len(survey), wanted or len(survey))
    # Not one block around all of it: what is switched off in a generator stays off for whoever reads from it.
    with torch.no_grad():
        dubber = pack.dubber(pack, survey)
        speech = _speech(pack, waveform, fps, len(order), dubber.own, options.expression_scale)
    for index, picture in enumerate(in_order(frames, order)):
        points = places[order[index]]
        if points is not None:
            with torch.no_grad():
                picture = dubber.draw(picture, points, speech, index)
        height, width = picture.shape[1:]
        yield picture[:, : height - height % 2, : width - width % 2]
        drawing(index + 1, len(order))


def back_and_forth(length: int, wanted: int) -> Sequence[int]:
    """Which of so many frames are shown, so that ``wanted`` are: to the end, and back, and forth again."""
    last = length - 1
    return [last - abs(last - index % (2 * last)) if last else 0 for index in range(wanted)]


def in_order(frames: Iterable[Tensor], order: Sequence[int]) -> Iterator[Tensor]:
    """Frames by their numbers, which rise or fall by one at most; half a gigabyte of them is held at a time."""
    start = 0
    while start < len(order):
        step = order[start + 1] - order[start] if start + 1 < len(order) else 0
        stop = start + 1
        while stop < len(order) and order[stop] - order[stop - 1] == step:
            stop += 1
        run = order[start:stop]
        if step > 0:
            yield from islice(iter(frames), run[0], run[-1] + 1)
        elif step < 0:
            yield from _reversed(frames, run[-1], run[0] + 1)
        else:
            picture = next(islice(iter(frames), run[0], None))
            yield from (picture for _ in run)
        start = stop


def _reversed(frames: Iterable[Tensor], first: int, stop: int) -> Iterator[Tensor]:
    """Frames first..stop, the last one first; the video is read again for every part that fits in memory."""
    size = next(iter(frames)).nbytes
    count = max(1, _HELD_BYTES // size)
    while stop > first:
        part = list(islice(iter(frames), max(first, stop - count), stop))
        yield from reversed(part)
        stop -= len(part)


def _places(survey: Survey, fps: float, missing: str) -> list[Tensor | None]:
    """Landmarks (478, 3) to draw at in each frame of the video; None where the frame stays as it is."""
    found = survey.found
    if missing == "error" and not found.all():
        number = int((~found).long().argmax())
        raise FaceNotFoundError(
            f"No usable face in frame {number} of the video ({number / fps:.2f} s). Cut the video, or choose what to "
            "do with such frames: hold the face where it was last, or skip them, which leaves them as they are."
        )
    if missing == "hold":
        return list(survey.points[found][(found.long().cumsum(0) - 1).clamp(min=0)])
    return [points if there else None for points, there in zip(survey.points, found.tolist(), strict=True)]


def _speech(pack: Pack, waveform: Waveform, fps: float, count: int, own: Tensor, scale: float) -> Coefficients:
    """Expression of the person in so many frames: that of the speech, and of the silence after it."""
    samples = -(-count * SAMPLE_RATE // fps)
    missing = int(samples) + 1 - len(waveform.samples)
    padded = Waveform(F.pad(waveform.samples, (0, max(missing, 0))))
    mel = mel_windows(padded, fps)
    mel = replace(mel, windows=mel.windows[:count].to(own.device))
    return pack.express(mel, own, None, scale=scale)
