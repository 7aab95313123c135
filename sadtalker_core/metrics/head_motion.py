"""Diversity and Beat Align of a finished video: how much the head moves, and whether it does so with the voice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..face.morphable import MorphableModel, load_morphable_model
from ..files.assets import OPEN_ASSETS
from .beat_align import beat_align, motion_beats, speech_onsets
from .diversity import head_diversity
from .requirements import NotMeasuredError
from .video_metrics import CLIP_SIZE, Figure, VideoClip

DIVERSITY = (Figure("diversity", "Diversity (degrees)", decimals=2),)
BEAT_ALIGN = (Figure("beat_align", "Beat Align"),)
_FEWEST_FRAMES = 25


class _HeadMetric:
    def __init__(self, model: MorphableModel | None = None) -> None:
        self._model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors") if model is None else model

    def _angles(self, clip: VideoClip) -> Tensor:
        """Pitch, yaw and roll (T, 3), radians; frames without a face repeat the nearest one."""
        seen = clip.seen.nonzero()[:, 0]
        if len(seen) < _FEWEST_FRAMES:
            raise NotMeasuredError(f"{_FEWEST_FRAMES} frames in which a face is seen")
        nearest = seen[(torch.arange(len(clip))[:, None] - seen[None]).abs().argmin(1)]
        return self._model.fit(clip.points[nearest], CLIP_SIZE, CLIP_SIZE).pose[:, :3]


class Diversity(_HeadMetric):
    """Standard deviation of the head's angles over the clip, mean of the three.

    The paper's is one of Hopenet's features, whose unit is another: its rows do not compare with it.
    """

    figures: Sequence[Figure] = DIVERSITY

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        return {"diversity": head_diversity([self._angles(clip)]).mean}


class BeatAlign(_HeadMetric):
    """Share of the voice's onsets at which the head turns round, as in Bailando."""

    figures: Sequence[Figure] = BEAT_ALIGN

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if clip.waveform is None:
            raise NotMeasuredError("sound")
        return {"beat_align": beat_align(speech_onsets(clip.waveform.samples), motion_beats(self._angles(clip)))}
