"""Does the mouth move when the voice does? The shift at which opening and loudness fit best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..face.morphable import MorphableModel, load_morphable_model
from ..files.assets import OPEN_ASSETS
from .loudness import loudness_mouth
from .mouth import best_common_lag, lagged_correlations, measure_mouth
from .requirements import NotMeasuredError
from .video_metrics import CLIP_SIZE, Figure, VideoClip

MAX_LAG = 15
"""Frames, either way, by which the mouth is shifted against the voice: 0.6 s, as far as SyncNet looks."""


class SpeechLag:
    """Frames by which the mouth comes after the voice, and how well it then follows.

    The height of the mouth's opening is held against the loudness of the vowels. In real videos the mouth leads by a
    frame or so, since lips part before the sound sets in.
    """

    figures: Sequence[Figure] = (
        Figure("mouth_lag", "mouth after voice (frames)", decimals=1),
        Figure("mouth_correlation", "mouth with voice (r)", "higher"),
    )

    def __init__(self, model: MorphableModel | None = None) -> None:
        self._model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors") if model is None else model

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if clip.waveform is None:
            raise NotMeasuredError("sound")
        if int(clip.seen.sum()) < 2 * MAX_LAG:
            raise NotMeasuredError(f"{2 * MAX_LAG} frames in which a face is seen")
        opening = measure_mouth(self._model, clip.points, CLIP_SIZE, CLIP_SIZE).opening
        at_lag = lagged_correlations(opening, loudness_mouth(clip.waveform.samples, len(clip)), MAX_LAG)
        best = best_common_lag([at_lag])
        if at_lag[best] <= 0:
            raise NotMeasuredError("a mouth that moves and a voice that is heard")
        return {"mouth_lag": best, "mouth_correlation": at_lag[best]}
