"""The arrows, in order: picture and speech in, frames out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .audio.windows import mel_windows
from .expnet.blink import random_blink
from .face.crop import crop_picture, whole_picture
from .face.extract import extract_face
from .face.framing import PASTED_FRAMINGS
from .finish.place.paste import paste_back
from .finish.watermark.invisible import carries_mark, mark_
from .finish.watermark.payload import DEFAULT_MESSAGE
from .flow import Coefficients, Crop, MelWindows, SourceFace, Waveform
from .pack import Pack
from .progress import Progress, no_progress
from .render.frames import render_frames
from .tracks.scale import combine, hold_pose


@dataclass(frozen=True, slots=True)
class TalkingHeadOptions:
    """What a user may choose; the defaults are those of the one-node graph."""

    fps: float = 25.0
    framing: str = "crop"
    """one of ``face3d.extract.FRAMINGS``; 'full' and 'extfull' show the whole picture"""
    size: int = 512
    """longer side of the frames in pixels, or ``face3d.extract.OWN_SIZE``"""
    face_index: int = 0
    """0 is the largest face"""
    style: int = 0
    seed: int = 0
    expression_scale: float = 1.0
    pose_scale: float = 1.0
    blink: bool = True
    still: bool = False
    """keep the portrait's own head pose"""
    watermark: bool = True
    """hide the message ``finish.watermark.payload.DEFAULT_MESSAGE`` in the frames"""


@dataclass(frozen=True, slots=True)
class TalkingHead:
    """The finished frames, and the face and coefficients they were made from."""

    frames: Tensor
    """(T, 3, h, w) in [0, 1], on the CPU"""
    fps: float
    face: SourceFace
    coefficients: Coefficients


def talking_head(
    pack: Pack,
    picture: Tensor,
    waveform: Waveform,
    options: TalkingHeadOptions | None = None,
    *,
    batch_size: int | None = None,
    on_progress: Progress = no_progress,
) -> TalkingHead:
    """Make ``picture`` (3, H, W), RGB in [0, 1], speak ``waveform``.

    Args:
        batch_size: frames rendered at a time; None as many as fit in a gigabyte.

    Raises:
        FaceNotFoundError: no usable face in the picture.
        SadTalkerError: an option is out of its range.
    """
    options = options or TalkingHeadOptions()
    face = extract_face(
        pack.landmarker,
        pack.extractor,
        picture,
        face_index=options.face_index,
        framing=options.framing,
        size=options.size,
    )
    mel = mel_windows(waveform, options.fps)
    coefficients = predict_coefficients(pack, face, mel, options)
    keypoints = pack.mapping.keypoints(face, coefficients)
    frames = render_frames(pack.renderer, face, keypoints, batch_size=batch_size, on_progress=on_progress)
    if options.framing in PASTED_FRAMINGS and not face.shows_whole_picture:
        frames, _ = paste_back(_with_smaller_picture(face, options.size), frames, moves_surroundings=True)
    return TalkingHead(mark_result_(frames, options), options.fps, face, coefficients)


def predict_coefficients(pack: Pack, face: SourceFace, mel: MelWindows, options: TalkingHeadOptions) -> Coefficients:
    """Expression from the speech and the blinks, head pose in the chosen style; both streams in one track."""
    # One generator for each use, so that switching the blinks off does not change the head's motion.
    blink_random = torch.Generator().manual_seed(options.seed)
    pose_random = torch.Generator().manual_seed(options.seed)
    blink = random_blink(len(mel), mel.fps, blink_random) if options.blink else None
    expression = pack.express(mel, face.expression, blink, scale=options.expression_scale)
    if options.still:
        pose = hold_pose(face, len(mel), mel.fps)
    else:
        pose = pack.move_head(mel, face.pose, options.style, pose_random, scale=options.pose_scale)
    return combine(expression, pose)


def mark_result_(frames: Tensor, options: TalkingHeadOptions) -> Tensor:
    """Finished frames (T, 3, h, w) with the invisible mark, put in in place, if it is wanted and they can carry it."""
    if options.watermark and carries_mark(*frames.shape[2:]):
        mark_(frames, DEFAULT_MESSAGE)
    return frames


def _with_smaller_picture(face: SourceFace, size: int) -> SourceFace:
    """The face in its picture reduced to even sides, the longer one at most ``size``."""
    crop, (height, width) = face.crop, face.picture.shape[1:]
    whole = whole_picture(width, height, size)
    across, down = whole.scale
    box = Crop(
        round(crop.left * across),
        round(crop.top * down),
        round(crop.right * across),
        round(crop.bottom * down),
        crop.width,
        crop.height,
    )
    return replace(face, picture=crop_picture(face.picture, whole), crop=box)
