"""Arithmetic on two tracks: part of each, one passing into the other."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..checks import check_basis
from ..errors import TrackError
from ..face.morphable import MorphableModel
from ..flow import Coefficients
from .matching import check_same_length, check_same_rate, check_track, stream_of, streams_of
from .regions import REGIONS, region_projection

PARTS = ("everything", "expression", "head motion", *REGIONS)
"""What of the second track ``blend`` takes."""


def blend(
    first: Coefficients,
    second: Coefficients,
    weight: float,
    part: str = "everything",
    model: MorphableModel | None = None,
) -> Coefficients:
    """The first track with a part of the second, frame by frame.

    Args:
        weight: 0 gives the first track's part, 1 the second's.
        part: one of ``PARTS``; mouth, eyes and brows are parts of the expression.
        model: whose vertices tell mouth, eyes and brows apart; needed for these.

    Raises:
        BasisMismatchError: the tracks, or they and the model, live in different bases.
        TrackError: lengths, frame rates or streams differ, or a value is no number.
    """
    if part not in PARTS:
        raise TrackError(f"The part must be one of {', '.join(PARTS)}; got '{part}'.")
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
    """The second track after the first.

    Args:
        overlap: seconds in which the first passes into the second at an even speed; 0 sets one behind the other.

    Raises:
        BasisMismatchError: the tracks live in different bases.
        TrackError: a track is shorter than the overlap, frame rates or streams differ, or a value is no number.
    """
    for track in (first, second):
        check_track(track)
    check_same_rate(first, second)
    _check_same_streams(first, second)
    shared = round(overlap * first.fps)
    shortest = min(len(first), len(second))
    if not 0 <= shared <= shortest:
        raise TrackError(
            f"The tracks are to overlap by {shared} frames ({overlap:g} s), but the shorter one has {shortest}. Use at "
            f"most {shortest / first.fps:.2f} seconds."
        )
    joined = {}
    for name, start in streams_of(first).items():
        end = stream_of(second, name).to(start)
        share = (torch.arange(1, shared + 1).to(start) / (shared + 1))[:, None]
        passing = torch.lerp(start[len(start) - shared :], end[:shared], share)
        joined[name] = torch.cat((start[: len(start) - shared], passing, end[shared:]))
    return replace(first, **joined)


def _check_same_streams(first: Coefficients, second: Coefficients) -> None:
    one, other = (", ".join(streams_of(track)) for track in (first, second))
    if one != other:
        raise TrackError(
            f"Both tracks need the same streams, got {one} in the first and {other} in the second. Complete one with "
            "Combine Coefficients, or mix only the expression or the head motion."
        )


def _required_model(model: MorphableModel | None, basis: str, part: str) -> MorphableModel:
    if model is None:
        raise TrackError(
            f"To mix the {part} alone takes a face model with vertices, which the open networks have and the official "
            f"ones do not. Connect the pack that made the tracks (basis '{basis}') if it is the open one, or mix the "
            "whole expression."
        )
    check_basis("The face model", model.basis, basis)
    return model
