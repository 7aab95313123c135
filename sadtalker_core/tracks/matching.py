"""Whether tracks can be used, alone and together."""

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
    """A stream that is needed.

    Raises:
        TrackError: the track lacks it.
    """
    stream: Tensor | None = getattr(track, name)
    if stream is None:
        raise TrackError(
            f"The track has no {name} stream, only {', '.join(streams_of(track))}. Connect a track that has one, or "
            "join two with Combine Coefficients."
        )
    return stream


def check_track(track: Coefficients) -> None:
    """See that a track has frames, and only numbers in them.

    Raises:
        TrackError: it has none, or a value is NaN or infinite.
    """
    if len(track) == 0:
        raise TrackError("The track has no frames; at least one is needed.")
    for name, stream in streams_of(track).items():
        bad = ~torch.isfinite(stream).all(1)
        if bad.any():
            raise TrackError(
                f"The {name} stream holds values that are no numbers in {int(bad.sum())} of {len(track)} frames, first "
                f"in frame {int(bad.nonzero()[0])}. Make or load the track again."
            )


def check_same_rate(first: Coefficients, second: Coefficients) -> None:
    """See that two tracks live in one basis at one frame rate.

    Raises:
        BasisMismatchError: the bases differ.
        TrackError: the frame rates do.
    """
    check_basis("The first track", first.basis, second.basis)
    if first.fps != second.fps:
        raise TrackError(
            f"Both tracks need one frame rate, got {first.fps:g} and {second.fps:g} frames a second. Give one of them "
            "the other's with the fps of Edit Coefficients."
        )


def check_same_length(first: Coefficients, second: Coefficients) -> None:
    """See that two tracks have equally many frames.

    Raises:
        TrackError: they do not.
    """
    if len(first) != len(second):
        raise TrackError(
            f"Both tracks need one length, got {len(first)} and {len(second)} frames. Cut or lengthen one of them with "
            "the frames of Edit Coefficients."
        )
