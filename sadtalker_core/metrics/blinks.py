"""How often and how long the eyes blink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.ndimage import percentile_filter
from torch import Tensor

from ..face.measures import eye_opening
from ..flow import MODEL_FPS
from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

OPEN_SECONDS = 1.5
"""Window in which the eyes' open state is looked for: it changes with gaze and with the head's pitch, but slowly."""
OPEN_PERCENTILE = 75
SHUT_OPENING = 0.25
"""Share of the open state's height that counts as shut: landmarks of shut lids still lie apart."""
BLINK_CLOSURE = 0.5
"""A blink shuts the eyes at least this far, from 0 open to 1 shut."""
START_CLOSURE = 0.2
"""It starts and ends here; trembling landmarks stay below."""
LONGEST_MEASURED_SECONDS = 0.8
"""What takes longer is a glance downwards or a closed eye."""
SAME_LEVEL = 0.5
"""The open state before and after a blink differ less than this ratio: else the eyes closed, or opened, for long."""


@dataclass(frozen=True, slots=True)
class BlinkTimes:
    """The blinks of a clip."""

    middle: Tensor
    """(N,) seconds at which the eyes are furthest shut"""
    duration: Tensor
    """(N,) seconds from leaving the open state by a fifth to coming back as far"""


def blink_times(opening: Tensor, fps: float = MODEL_FPS) -> BlinkTimes:
    """The blinks in openings (T,) of the eyes, any unit, of one person over time, without gaps.

    Those that the clip's start or end cuts do not count.
    """
    window = round(OPEN_SECONDS * fps) | 1
    level = torch.from_numpy(percentile_filter(opening.double().cpu().numpy(), OPEN_PERCENTILE, window, mode="nearest"))
    closure = (1 - opening.double().cpu() / level.clamp_min(1e-9)) / (1 - SHUT_OPENING)
    shut = closure > START_CLOSURE
    change = shut.int().diff()
    starts, ends = ((change == way).nonzero()[:, 0] for way in (1, -1))
    ends = ends[ends > starts[0]] if len(starts) else ends[:0]  # the first run may have begun before the clip
    middles, durations = [], []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=False):
        inside = closure[start + 1 : end + 1]
        duration = (_crossing(closure, end) - _crossing(closure, start)) / fps
        levels = level[[start, end + 1]]
        returns = float(levels.min()) >= SAME_LEVEL * float(levels.max())
        if returns and float(inside.max()) >= BLINK_CLOSURE and duration <= LONGEST_MEASURED_SECONDS:
            middles.append((start + 1 + int(inside.argmax()) + 0.5) / fps)
            durations.append(duration)
    return BlinkTimes(torch.tensor(middles), torch.tensor(durations))


def _crossing(closure: Tensor, before: int) -> float:
    """Where closure passes ``START_CLOSURE`` between the frames ``before`` and the next, in frames."""
    first, second = closure[before : before + 2].tolist()
    return before + (START_CLOSURE - first) / (second - first)


class Blinks:
    """Rate and mean duration."""

    figures: Sequence[Figure] = (
        Figure("blinks_per_minute", "blinks a minute", decimals=1),
        Figure("blink_seconds", "blink (s)", decimals=2),
    )

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        opening = eye_opening(clip.points[clip.seen])
        if len(opening) < OPEN_SECONDS * MODEL_FPS:
            raise NotMeasuredError(f"{OPEN_SECONDS:g} s in which a face is seen")
        found = blink_times(opening)
        rate = 60 * len(found.middle) * MODEL_FPS / len(opening)
        return {"blinks_per_minute": rate, "blink_seconds": float(found.duration.mean())}
