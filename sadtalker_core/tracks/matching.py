"""Checks that a track is usable, and that two tracks match."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_basis
from ..errors import TrackError
from ..flow import Coefficients

STREAMS = ("expression", "pose", "crop")


def streams_of(track: Coefficients) -> dict[str, Tensor]:
    """The streams that a track has, by name."""
    streams = {name: getattr(track, name) for name in STREAMS}
    return {name: stream for name, stream in streams.items() if stream is not None}


def stream_of(track: Coefficients, name: str) -> Tensor:
    """A stream that the caller needs.

    Raises:
        TrackError: the track does not have it.
    """
    stream: Tensor | None = getattr(track, name)
    if stream is None:
        raise TrackError(
            f"The track has no {name} stream, only {', '.join(streams_of(track))}. Connect a track that has one, or "
            "combine two tracks with Combine Coefficients."
        )
    return stream


def check_track(track: Coefficients) -> None:
    """Check that a track has frames and only finite values.

    Raises:
        TrackError: the track has no frames, or contains NaN or infinity.
    """
    if len(track) == 0:
        raise TrackError("The track has no frames. At least one is needed.")
    for name, stream in streams_of(track).items():
        bad = ~torch.isfinite(stream).all(1)
        if bad.any():
            raise TrackError(
                f"The {name} stream contains NaN or infinity in {int(bad.sum())} of {len(track)} frames, first in "
                f"frame {int(bad.nonzero()[0])}. Make or load the track again."
            )


def check_same_rate(first: Coefficients, second: Coefficients) -> None:
    """Check that two tracks have the same basis and frame rate.

    Raises:
        BasisMismatchError: the bases differ.
        TrackError: the frame rates differ.
    """
    check_basis("The first track", first.basis, second.basis)
    if first.fps != second.fps:
        raise TrackError(
            f"Both tracks must have the same frame rate, got {first.fps:g} and {second.fps:g} frames per second. "
            "Change one of them with fps in Edit Coefficients."
        )


def check_same_length(first: Coefficients, second: Coefficients) -> None:
    """Check that two tracks have the same number of frames.

    Raises:
        TrackError: the numbers differ.
    """
    if len(first) != len(second):
        raise TrackError(
            f"Both tracks must have the same length, got {len(first)} and {len(second)} frames. Change one of them "
            "with frames in Edit Coefficients."
        )
