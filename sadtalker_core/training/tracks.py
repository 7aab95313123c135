"""Clips -> landmark tracks and waveforms, cached on disk so that a run can go on where it stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ..audio.sound_file import read_sound
from ..face.landmarks import load_landmarker
from ..face.tracking import track_landmarks
from ..files.assets import OPEN_ASSETS
from ..files.write import write_whole
from ..flow import MODEL_FPS, Waveform
from ..pictures.levels import Levels, pictures_of
from ..pictures.video import decoded_frames, levels_of_frame

LOG = logging.getLogger(__name__)
CORPORA = {"grid_s1": "clips/grid_s1", "grid_multi": "clips/grid_multi", "motion": "clips/motion"}
"""Folders of the data that may take part in training, and what each is called here."""
VIDEO_SUFFIXES = {".mp4", ".mpg", ".mov", ".avi", ".webm", ".mkv"}


@dataclass(frozen=True, slots=True)
class ClipTrack:
    """One clip as training sees it: where the face's points were, and what was heard."""

    name: str
    corpus: str
    points: Tensor
    """(T, 478, 3) pixels of the clip at 25 frames a second; NaN where no face was found"""
    width: int
    height: int
    waveform: Waveform | None
    """starts with the first frame; None for clips without sound or whose voice may not be used"""


def track_corpora(data: Path, cache: Path, corpora: Iterable[str], workers: int) -> None:
    """Track every clip of ``corpora`` under ``data`` that ``cache`` does not hold yet."""
    jobs = [
        (clip, _cached(cache, corpus, clip))
        for corpus in corpora
        for clip in sorted((data / CORPORA[corpus]).iterdir())
        if clip.suffix in VIDEO_SUFFIXES
    ]
    jobs = [(clip, target) for clip, target in jobs if not target.exists()]
    with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in tqdm(pool.map(_track_clip, jobs), total=len(jobs), desc="tracks", unit="clip"):
            pass


def read_tracks(data: Path, cache: Path, corpus: str) -> Iterator[ClipTrack]:
    """The cached tracks of a corpus, in the order of their names."""
    for clip in sorted((data / CORPORA[corpus]).iterdir()):
        if clip.suffix in VIDEO_SUFFIXES:
            yield read_cached_track(_cached(cache, corpus, clip), corpus)


def read_cached_track(path: Path, corpus: str) -> ClipTrack:
    """One cached track."""
    stored = load_file(path)
    width, height = stored["size"].tolist()
    # The rights of the motion clips cover measurements of the face, not the voice.
    voiced = corpus != "motion" and stored["samples"].shape[0] > 0
    waveform = Waveform(stored["samples"].float() / 32768) if voiced else None
    return ClipTrack(path.stem, corpus, stored["points"], width, height, waveform)


def track_video(path: Path, landmarker_file: Path = OPEN_ASSETS / "landmarker.safetensors") -> dict[str, Tensor]:
    """Landmarks (T, 478, 3) at 25 frames a second, picture size (2,), 16 kHz samples (S,) int16 of one clip."""
    landmarker = load_landmarker(landmarker_file)
    rate = _frame_rate(path)
    times: list[float] = []
    frames: list[Levels] = []
    for number, frame in enumerate(decoded_frames(path)):
        times.append(number / rate if frame.time is None else float(frame.time))  # some films give no times
        frames.append(levels_of_frame(frame))
    height, width = frames[0].shape[:2]
    track = track_landmarks(landmarker, map(pictures_of, frames))
    points = resample_track(track.points, times)
    return {
        "points": points,
        "size": torch.tensor([width, height]),
        "samples": _as_integers(read_sound(path, times[0])),
    }


def _frame_rate(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.streams.video[0].average_rate or MODEL_FPS)


def _as_integers(samples: Tensor) -> Tensor:
    return (samples.clamp(-1, 1) * 32767).to(torch.int16)


def resample_track(points: Tensor, times: Sequence[float], fps: float = MODEL_FPS) -> Tensor:
    """Linear interpolation of a track (T, ...) in time; the first frame stays the first.

    Args:
        times: (T,) when each frame begins to be shown, rising seconds; films drop frames, so that the steps differ.
    """
    begins = np.asarray(times) - times[0]
    step = float(np.median(np.diff(begins))) if len(begins) > 1 else 1 / fps
    count = max(1, int((begins[-1] + step) * fps + 1e-3))
    # Rounded, so that at the rate of the result a frame is itself and takes nothing from its neighbours.
    position = torch.from_numpy(np.interp(np.arange(count) / fps, begins, np.arange(len(begins))).round(6))
    before, after = position.floor().long(), position.ceil().long()
    share = (position - before).reshape(-1, *[1] * (points.dim() - 1)).to(points.dtype)
    return torch.lerp(points[before], points[after], share)


def _track_clip(job: tuple[Path, Path]) -> None:
    clip, target = job
    write_whole(target, track_video(clip))


def _cached(cache: Path, corpus: str, clip: Path) -> Path:
    return cache / "tracks" / corpus / f"{clip.stem}.safetensors"
