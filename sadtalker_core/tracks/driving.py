"""Motion measured in a driving video, added to a track."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..checks import check_basis
from ..errors import TrackError
from ..flow import BlinkCurve, Coefficients
from ..time_series import at_times
from .edit import continuation, extend, resample, steps
from .matching import check_track, stream_of

DRIVING_PARTS = {"head motion": ("pose",), "expression": ("expression",), "everything": ("expression", "pose")}
"""The streams of the driving track that are added, by the name that a user sees."""


def add_driving(track: Coefficients, driving: Coefficients, part: str = "head motion") -> Coefficients:
    """Add the motion of a driving track, relative to its first frame, to a track.

    The driving track is resampled to the frame rate of ``track``. If it is shorter, it repeats from its start.

    Args:
        part: one of ``DRIVING_PARTS``.

    Raises:
        BasisMismatchError: the tracks have different bases.
        TrackError: a stream is missing or contains NaN or infinity, or ``part`` is unknown.
    """
    if part not in DRIVING_PARTS:
        raise TrackError(f"The part must be one of {', '.join(DRIVING_PARTS)}; got '{part}'.")
    check_basis("Reference Motion", track.basis, driving.basis)
    check_track(track)
    check_track(driving)
    matched = match_track(driving, len(track), track.fps)
    changes = {}
    for name in DRIVING_PARTS[part]:
        stream = stream_of(track, name)
        motion = stream_of(matched, name).to(stream)
        changes[name] = stream + (motion - motion[:1])
    return replace(track, **changes)


def hold_portrait(portrait: Coefficients, driving: Coefficients) -> Coefficients:
    """The one frame of the portrait, repeated to the length and frame rate of a driving track."""
    return replace(extend(portrait, len(driving), "hold"), fps=driving.fps)


def match_track(driving: Coefficients, frames: int, fps: float) -> Coefficients:
    """A driving track at the given frame rate and length: repeated from its start if shorter, cut if longer."""
    check_track(driving)
    return extend(resample(driving, fps), frames, "loop")


def match_blink(blink: BlinkCurve, frames: int, fps: float) -> BlinkCurve:
    """Blinks at the given frame rate and length: repeated from their start if shorter, cut if longer.

    Raises:
        TrackError: the curve has no frames, or contains NaN or infinity.
    """
    closure = blink.closure
    if len(blink) == 0 or not torch.isfinite(closure).all():
        raise TrackError("The blinks have no frames, or contain NaN or infinity. Measure them again.")
    if blink.fps != fps:
        closure = at_times(closure, steps(len(blink), blink.fps / fps))
    return BlinkCurve(closure[continuation(len(closure), frames, "loop").to(closure.device)], fps)
