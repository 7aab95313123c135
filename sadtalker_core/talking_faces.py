"""Several people in one picture, each speaking a recording of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from .audio.windows import mel_windows
from .checks import check_shape
from .errors import FaceNotFoundError, SadTalkerError
from .face.crop import crop_picture, whole_picture
from .face.extract import FACE_ORDERS, extract_face, find_faces
from .face.framing import OWN_SIZE
from .face.landmarks import FaceDetection
from .finish.place.paste import paste_back
from .flow import SourceFace, Waveform
from .pack import Pack
from .pipeline import TalkingHeadOptions, mark_result_, predict_coefficients
from .progress import Progress, no_progress, part_of
from .render.frames import render_frames

MOST_FACES = 4
_BORDER = 0.3
"""Width of the zone in which the pictures of two neighbours merge, in face widths."""


def talking_faces(
    pack: Pack,
    picture: Tensor,
    speeches: Sequence[Waveform | None],
    options: TalkingHeadOptions | None = None,
    *,
    face_order: str = FACE_ORDERS[1],
    batch_size: int | None = None,
    on_progress: Progress = no_progress,
) -> Tensor:
    """Make the faces of ``picture`` (3, H, W), RGB in [0, 1], speak one recording each.

    Args:
        speeches: up to four, for the faces in ``face_order``. None: that face stays as it is. Those that end before the
            longest go on in silence: the head moves, the eyes blink.
        options: framing and face_index have no meaning here; the size is the whole picture's; each face draws its
            motion from a seed of its own, one more than that of the face before.
        face_order: one of ``face3d.extract.FACE_ORDERS``.

    Returns:
        (T, 3, h, w) the whole picture, on the CPU.

    Raises:
        FaceNotFoundError: fewer faces than recordings, or one that cannot be used.
        SadTalkerError: no recording, or more than four.
    """
    check_shape("picture", picture, "3 H W")
    options = options or TalkingHeadOptions()
    speaking = [index for index, speech in enumerate(speeches) if speech is not None]
    if not speaking or len(speeches) > MOST_FACES:
        raise SadTalkerError(f"Expected 1 to {MOST_FACES} recordings, got {len(speaking)} of {len(speeches)}.")
    picture = crop_picture(picture, whole_picture(picture.shape[2], picture.shape[1], options.size))
    faces = find_faces(pack.landmarker, picture, face_order)
    if speaking[-1] >= len(faces):
        raise FaceNotFoundError(
            f"There is a recording for face {speaking[-1] + 1}, but the picture of {picture.shape[2]}x"
            f"{picture.shape[1]} pixels shows {len(faces)} face(s) that are large enough. Leave the recording out, or "
            "use a larger size or picture."
        )
    length = max(len(speech.samples) for speech in speeches if speech is not None)
    frames = picture[None].cpu()
    for number, index in enumerate(speaking):
        speech = speeches[index]
        assert speech is not None
        face, in_place = _own_section(pack, picture, index, face_order)
        mel = mel_windows(_lengthened(speech, length), options.fps)
        coefficients = predict_coefficients(pack, face, mel, replace(options, seed=options.seed + index))
        keypoints = pack.mapping.keypoints(face, coefficients)
        report = part_of(on_progress, number, len(speaking))
        moving = render_frames(pack.renderer, face, keypoints, batch_size=batch_size, on_progress=report)
        weight = face_weight(faces, index, *picture.shape[1:])
        frames, _ = paste_back(face, moving, background=frames, mask=weight[None], moves_surroundings=not in_place)
    return mark_result_(frames, options)


def face_weight(faces: Sequence[FaceDetection], index: int, height: int, width: int) -> Tensor:
    """How much of each pixel (height, width) belongs to one of several faces rather than to any other, 0 to 1."""
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    distances = torch.empty(len(faces), height, width)
    for distance, face in zip(distances, faces, strict=True):
        left, top, right, bottom = face.box.tolist()
        distance[:] = torch.hypot(x - (left + right) / 2, y - (top + bottom) / 2) / (right - left)
    own = distances[index].clone()
    distances[index] = torch.inf
    return ((distances.amin(0) - own) / _BORDER + 0.5).clamp(0, 1)


def _own_section(pack: Pack, picture: Tensor, index: int, face_order: str) -> tuple[SourceFace, bool]:
    """A face with what is around it, and whether the renderer leaves the edge of that section where it is."""
    extract = partial(
        extract_face, pack.landmarker, pack.extractor, picture, face_index=index, size=OWN_SIZE, face_order=face_order
    )
    face = extract(framing="full")
    # The open pack would move the whole picture for each face.
    return (extract(framing="extcrop"), True) if face.shows_whole_picture else (face, False)


def _lengthened(speech: Waveform, length: int) -> Waveform:
    return Waveform(F.pad(speech.samples, (0, length - len(speech.samples))))
