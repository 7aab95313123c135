"""Video and picture files -> their pictures, decoded as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from PIL import Image
from torch import Tensor

from ..errors import SadTalkerError
from .levels import Levels, pictures_of

Source = Path | str | IO[bytes]
"""A file's path, or its content"""


def decoded_frames(source: Source) -> Iterator[VideoFrame]:
    """The frames of a video or picture file in order; ``frame.time`` is when each is shown, in seconds, if it is known.

    Raises:
        SadTalkerError: there is no such file, it is neither a video nor a picture, or it has only sound.
    """
    name = source if isinstance(source, Path | str) else "The file"
    try:
        with av.open(str(source) if isinstance(source, Path) else source, mode="r") as container:
            if not container.streams.video:
                raise SadTalkerError(f"{name} has no pictures, only sound. Choose a video or a picture.")
            yield from container.decode(container.streams.video[0])
    except (FFmpegError, OSError) as error:
        raise SadTalkerError(
            f"{name} cannot be read as a video or a picture ({error}). Export it again, for instance as mp4."
        ) from error


def levels_of_frame(frame: VideoFrame) -> Levels:
    """A frame as (H, W, 3), turned as its file says: phones store what they film upright lying on its side."""
    levels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    quarters = round(getattr(frame, "rotation", 0) / 90)
    return np.ascontiguousarray(np.rot90(levels, quarters)) if quarters else levels


def read_pictures(source: Source) -> Iterator[Tensor]:
    """The pictures (3, H, W), RGB in [0, 1], of a video or picture file, upright; see ``decoded_frames``."""
    for frame in decoded_frames(source):
        yield pictures_of(levels_of_frame(frame))


def read_picture(path: Path | str) -> Tensor:
    """A picture file as (3, H, W), RGB in [0, 1].

    Raises:
        SadTalkerError: there is no such file, or it is no picture.
    """
    try:
        return pictures_of(np.asarray(Image.open(path).convert("RGB")))
    except OSError as error:
        raise SadTalkerError(f"{path} cannot be read as a picture ({error}). Use a PNG or JPEG file.") from error
