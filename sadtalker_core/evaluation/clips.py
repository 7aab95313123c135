"""Real clips as evaluation sees them: where the face's points were, what was heard, what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import SadTalkerError
from ..face.morphable import MorphableModel
from ..files.write import write_whole
from ..flow import MODEL_FPS, SAMPLE_RATE, Waveform
from ..training.tracks import VIDEO_SUFFIXES, read_cached_track, track_video

DEFAULT_TRACKS = Path("runs/evaluation/tracks")


@dataclass(frozen=True, slots=True)
class RealClip:
    """One clip, tracked."""

    name: str
    path: Path
    points: Tensor
    """(T, 478, 3) pixels at 25 frames a second; NaN where no face was found"""
    width: int
    height: int
    waveform: Waveform | None
    """exactly the sound of the T frames; None for a silent film"""

    @property
    def valid(self) -> Tensor:
        """(T,) bool: a face was found."""
        return ~self.points.isnan().any(-1).any(-1)


def read_clips(folder: Path, tracks: Path | None = None, *, every: int = 1) -> list[RealClip]:
    """The clips of ``folder`` in the order of their names, each ``every``-th; those without any face are left out.

    Args:
        tracks: where landmark tracks are kept between runs, in the format of training; clips that have none there
            are tracked now. None: a folder of ``DEFAULT_TRACKS`` that belongs to ``folder``.

    Raises:
        SadTalkerError: the folder holds no clip in which a face was found.
    """
    if tracks is None:
        whole = str(folder.resolve())
        tracks = DEFAULT_TRACKS / f"{folder.resolve().name}-{crc32(whole.encode()):08x}"
    files = sorted(f for f in folder.iterdir() if f.suffix in VIDEO_SUFFIXES)[::every] if folder.is_dir() else []
    clips = [_read_clip(path, _tracked(path, tracks)) for path in tqdm(files, desc="tracks", unit="clip")]
    found = [clip for clip in clips if bool(clip.valid.any())]
    if not found:
        kinds = ", ".join(sorted(VIDEO_SUFFIXES))
        raise SadTalkerError(f"Expected a folder of clips that show a face ({kinds}), found none in {folder}.")
    return found


def head_angles(model: MorphableModel, clip: RealClip) -> Tensor:
    """Pitch, yaw and roll (T, 3), radians, of a clip's head; frames without a face repeat the nearest one."""
    frames = torch.arange(clip.points.shape[0])
    seen = frames[clip.valid]
    nearest = seen[(frames[:, None] - seen[None]).abs().argmin(1)]
    return model.fit(clip.points[nearest], clip.width, clip.height).pose[:, :3]


def _tracked(path: Path, tracks: Path) -> Path:
    target = tracks / f"{path.stem}.safetensors"
    if not target.exists():
        write_whole(target, track_video(path))
    return target


def _read_clip(path: Path, track: Path) -> RealClip:
    stored = read_cached_track(track, "evaluation")
    waveform = stored.waveform
    if waveform is not None:
        needed = stored.points.shape[0] * SAMPLE_RATE // MODEL_FPS
        samples = waveform.samples[:needed]
        waveform = Waveform(torch.cat((samples, samples.new_zeros(needed - samples.shape[0]))))
    return RealClip(path.stem, path, stored.points, stored.width, stored.height, waveform)
