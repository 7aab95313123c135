"""What is measured in a video, laid over what speech drives."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..checks import check_basis
from ..errors import TrackError
from ..flow import BlinkCurve, Coefficients
from ..posevae.smoothing import add_reference_motion, repeat_track
from ..time_series import at_times
from .edit import extend, resample, steps
from .matching import check_track, stream_of

PARTS = {"head motion": ("pose",), "expression": ("expression",), "everything": ("expression", "pose")}
"""Streams of the reference that are added, by what a user calls them."""


def add_reference(track: Coefficients, reference: Coefficients, part: str = "head motion") -> Coefficients:
    """Add the motion of a reference, counted from its first frame, to a track.

    The reference is brought to the track's frame rate, and starts again where it is shorter.

    Args:
        part: one of ``PARTS``.

    Raises:
        BasisMismatchError: the tracks live in different bases.
        TrackError: a stream is missing or holds what is no number, or there is no such part.
    """
    if part not in PARTS:
        raise TrackError(f"The part must be one of {', '.join(PARTS)}; got '{part}'.")
    check_basis("Reference Motion", track.basis, reference.basis)
    check_track(track)
    check_track(reference)
    reference = resample(reference, track.fps)
    changes = {
        name: add_reference_motion(stream_of(track, name), stream_of(reference, name).to(stream_of(track, name)))
        for name in PARTS[part]
    }
    return replace(track, **changes)


def hold_portrait(portrait: Coefficients, reference: Coefficients) -> Coefficients:
    """The portrait's one frame, for as long as a reference lasts."""
    return replace(extend(portrait, len(reference), "hold"), fps=reference.fps)


def match_track(reference: Coefficients, frames: int, fps: float) -> Coefficients:
    """A reference at the given frame rate and length, started again where it is shorter, cut where it is longer."""
    check_track(reference)
    return extend(resample(reference, fps), frames, "loop")


def match_blink(blink: BlinkCurve, frames: int, fps: float) -> BlinkCurve:
    """Blinks at the given frame rate and length, started again where they are shorter, cut where they are longer.

    Raises:
        TrackError: there are none, or a value is no number.
    """
    closure = blink.closure
    if len(blink) == 0 or not torch.isfinite(closure).all():
        raise TrackError("The blinks have no frames, or hold values that are no numbers. Measure them again.")
    if blink.fps != fps:
        closure = at_times(closure, steps(len(blink), blink.fps / fps))
    return BlinkCurve(repeat_track(closure, frames), fps)
