"""A track as named curves that a person can read: angles, positions, openings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_basis
from ..face.measures import eye_opening, mouth_opening
from ..face.morphable import MorphableModel
from ..flow import IDENTITY_SIZE, Coefficients
from .matching import stream_of

ANGLES = ("pitch", "yaw", "roll")
PLACES = ("x", "y", "z")
OPENINGS = ("mouth_opening", "eye_opening")


@dataclass(frozen=True, slots=True)
class Channels:
    """Named curves (T,) of one track."""

    fps: float
    curves: dict[str, Tensor]
    """pitch, yaw, roll: degrees. x, y, z: unit of the basis. mouth_opening: gap between the lips, in units of the
    distance between the outer eye corners. eye_opening: height over width of the eyes. expression: distance from the
    expression of the first frame, unit of the basis, if there is no model for the openings. Only the curves that the
    track has."""

    def __len__(self) -> int:
        return len(next(iter(self.curves.values())))


def channels(track: Coefficients, model: MorphableModel | None = None) -> Channels:
    """The named curves of a track.

    Args:
        model: its vertices give the openings of mouth and eyes, on the mean face; without it there is one curve for
            the whole expression.

    Raises:
        BasisMismatchError: the model and the track have different bases.
    """
    curves: dict[str, Tensor] = {}
    if track.pose is not None:
        angles, place = track.pose[:, :3].rad2deg(), track.pose[:, 3:]
        curves |= dict(zip(ANGLES, angles.unbind(1), strict=True)) | dict(zip(PLACES, place.unbind(1), strict=True))
    if track.expression is not None:
        curves |= _openings(track, model) if model is not None else {"expression": _change(track.expression)}
    return Channels(track.fps, {name: curve.cpu() for name, curve in curves.items()})


def _openings(track: Coefficients, model: MorphableModel) -> dict[str, Tensor]:
    check_basis("The face model", model.basis, track.basis)
    expression = stream_of(track, "expression").to(model.mean)
    shape = model.shape(expression.new_zeros(len(track), IDENTITY_SIZE), expression)
    return dict(zip(OPENINGS, (mouth_opening(shape), eye_opening(shape)), strict=True))


def _change(expression: Tensor) -> Tensor:
    return torch.linalg.vector_norm(expression - expression[:1], dim=1)
