"""Arithmetic on two tracks: blend them, or join one after the other."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..checks import check_basis
from ..errors import TrackError
from ..face.morphable import MorphableModel
from ..flow import Coefficients
from .matching import check_same_length, check_same_rate, check_track, stream_of, streams_of
from .regions import REGIONS, region_projection

BLEND_PARTS = ("everything", "expression", "head motion", *REGIONS)
"""The part that ``blend`` takes from the second track."""


def blend(
    first: Coefficients,
    second: Coefficients,
    weight: float,
    part: str = "everything",
    model: MorphableModel | None = None,
) -> Coefficients:
    """Blend a part of the second track into the first, frame by frame.

    Args:
        weight: 0 gives that part of the first track, 1 that of the second.
        part: one of ``BLEND_PARTS``; mouth, eyes and brows are regions of the expression.
        model: its vertices separate mouth, eyes and brows; required for these regions.

    Raises:
        BasisMismatchError: the tracks and the model do not all have the same basis.
        TrackError: lengths, frame rates or streams differ, or a track contains NaN or infinity.
    """
    if part not in BLEND_PARTS:
        raise TrackError(f"The part must be one of {', '.join(BLEND_PARTS)}; got '{part}'.")
    for track in (first, second):
        check_track(track)
    check_same_rate(first, second)
    check_same_length(first, second)
    if part in REGIONS:
        matrix = region_projection(_required_model(model, first.basis, part), part)
        own = stream_of(first, "expression")
        change = stream_of(second, "expression").to(own) - own
        return replace(first, expression=own + weight * change @ matrix.to(own))
    if part == "everything":
        _check_same_streams(first, second)
        names = tuple(streams_of(first))
    else:
        names = ("expression",) if part == "expression" else ("pose",)
    mixed = {}
    for name in names:
        own = stream_of(first, name)
        mixed[name] = torch.lerp(own, stream_of(second, name).to(own), weight)
    return replace(first, **mixed)


def join(first: Coefficients, second: Coefficients, overlap: float = 0.0) -> Coefficients:
    """Put the second track after the first.

    Args:
        overlap: duration of a linear transition from the first to the second, in seconds; 0 is a cut.

    Raises:
        BasisMismatchError: the tracks have different bases.
        TrackError: a track is shorter than the overlap, frame rates or streams differ, or a track contains NaN or
            infinity.
    """
    for track in (first, second):
        check_track(track)
    check_same_rate(first, second)
    _check_same_streams(first, second)
    shared = round(overlap * first.fps)
    shortest = min(len(first), len(second))
    if not 0 <= shared <= shortest:
        raise TrackError(
            f"The overlap is {shared} frames ({overlap:g} s), but the shorter track has only {shortest}. Use at most "
            f"{shortest / first.fps:.2f} seconds."
        )
    joined = {}
    for name, start in streams_of(first).items():
        end = stream_of(second, name).to(start)
        weight = (torch.arange(1, shared + 1).to(start) / (shared + 1))[:, None]
        passing = torch.lerp(start[len(start) - shared :], end[:shared], weight)
        joined[name] = torch.cat((start[: len(start) - shared], passing, end[shared:]))
    return replace(first, **joined)


def _check_same_streams(first: Coefficients, second: Coefficients) -> None:
    one, other = (", ".join(streams_of(track)) for track in (first, second))
    if one != other:
        raise TrackError(
            f"Both tracks must have the same streams, got {one} in the first and {other} in the second. Add the "
            "missing stream with Combine Coefficients, or mix only the expression or the head motion."
        )


def _required_model(model: MorphableModel | None, basis: str, part: str) -> MorphableModel:
    if model is None:
        raise TrackError(
            f"Mixing only the {part} needs a face model with vertices. The open networks have one, the official ones "
            f"do not. If the open networks made the tracks (basis '{basis}'), connect them to pack; otherwise mix the "
            "whole expression."
        )
    check_basis("The face model", model.basis, basis)
    return model
