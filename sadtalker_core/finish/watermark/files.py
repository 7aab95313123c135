"""Video or picture file -> frames, and the mark in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import torch
from av.error import FFmpegError
from torch import Tensor

from ...errors import SadTalkerError
from .detector import Detection, detect


def read_frames(path: Path) -> Iterator[Tensor]:
    """The frames (3, H, W), RGB in [0, 1], of a video or picture file, decoded as they are asked for.

    Raises:
        SadTalkerError: it is not there, or neither a video nor a picture.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise SadTalkerError(f"{path} has no pictures, only sound. Choose a video or a picture.")
            for frame in container.decode(video=0):
                yield torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1).float() / 255
    except (FFmpegError, OSError) as error:
        raise SadTalkerError(f"Expected a video or a picture, but {path} cannot be read as one ({error}).") from error


def detect_in_file(path: Path, frames: int | None = None) -> Detection:
    """Look for a mark in a video or picture file, in all of it or its first ``frames``; see ``detector.detect``."""
    return detect(islice(read_frames(path), frames))
