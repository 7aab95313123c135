"""Video files -> films: decoded as they are read, at 25 frames a second, with the sound that belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import torch
from torch import Tensor

from ..audio.sound_file import read_sound
from ..errors import SadTalkerError
from ..flow import MODEL_FPS, Waveform
from ..metrics.face_clip import Film, at_model_rate
from ..metrics.video_metrics import CLIP_SECONDS
from ..pictures.levels import pictures_of
from ..pictures.video import decoded_frames, levels_of_frame
from ..training.tracks import VIDEO_SUFFIXES

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def videos_in(folder: Path) -> list[Path]:
    """The videos of a folder by name.

    Raises:
        SadTalkerError: there is none, or two of one name, which could not be paired with other folders' videos.
    """
    found = sorted(f for f in folder.iterdir() if f.suffix.lower() in VIDEO_SUFFIXES) if folder.is_dir() else []
    if not found:
        raise SadTalkerError(
            f"Expected a folder of videos ({', '.join(sorted(VIDEO_SUFFIXES))}), found none in {folder}."
        )
    names = [path.stem for path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SadTalkerError(f"Videos are paired by name, but {folder} holds several called {', '.join(twice)}.")
    return found


def matching_file(folder: Path, name: str, suffixes: set[str]) -> Path | None:
    """The file of that name, whatever its ending; None if there is none."""
    return next((f for f in sorted(folder.iterdir()) if f.stem == name and f.suffix.lower() in suffixes), None)


def read_film(path: Path, *, seconds: float = CLIP_SECONDS, device: torch.device | None = None) -> Film:
    """The first seconds of a video file.

    Args:
        device: where its pictures are put; None: where they are made, the CPU.

    Raises:
        SadTalkerError: it cannot be decoded, or shows nothing.
    """
    first = next(decoded_frames(path), None)
    if first is None:
        raise SadTalkerError(f"{path} holds no picture. Export it again, for instance as mp4.")
    with av.open(str(path)) as container:
        fps = float(container.streams.video[0].average_rate or MODEL_FPS)
    start = float(first.time or 0.0)
    samples = read_sound(path, start)
    waveform = Waveform(samples) if len(samples) else None
    return Film(path.stem, partial(_pictures, path, fps, start, seconds, device), waveform)


def _pictures(path: Path, fps: float, start: float, seconds: float, device: torch.device | None) -> Iterator[Tensor]:
    timed = ((float(frame.time or 0.0) - start, frame) for frame in decoded_frames(path))
    for frame in at_model_rate(timed, fps, seconds):
        yield pictures_of(levels_of_frame(frame)).to(device)
