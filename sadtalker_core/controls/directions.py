"""Actions of single muscles -> directions in the space of the expression coefficients."""

from __future__ import annotations

import torch
from torch import Tensor

from ..face.morphable import MorphableModel
from ..face.regions import (
    CHIN,
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from .actions import ACTION_NAMES, action_targets

_FEATURES = (
    *INNER_LIPS, *OUTER_LIPS, *LEFT_EYE, *RIGHT_EYE, *LEFT_IRIS, *RIGHT_IRIS, *LEFT_BROW, *RIGHT_BROW, *CHIN
)  # fmt: skip
_MEANT, _FEATURE, _SKIN = 0.004, 0.015, 0.03
"""Tolerances in canonical units: of the vertices that an action moves, of the features that it must not move, and of
the skin between them, which follows as in the faces that the model was trained on."""
_LARGEST_GAIN = 2.0


@torch.no_grad()
def action_directions(model: MorphableModel, shape: Tensor) -> Tensor:
    """Coefficients (A, 64) that each of ``ACTION_NAMES`` adds at full strength.

    Each direction is the most probable expression that moves the vertices as the action says: least squares, with the
    deviations of the model as prior. The prior makes the motion too small; a gain of at most 2 restores its size.

    Args:
        shape: (478, 3) the face at rest, canonical; the distance that its lids close by is measured on it.
    """
    mirror = torch.cdist(model.mean * model.mean.new_tensor((-1.0, 1.0, 1.0)), model.mean).argmin(1)
    prior = torch.diag(model.expression_deviation.clamp_min(1e-4).square().reciprocal())
    directions: list[Tensor] = []
    for name in ACTION_NAMES:
        displacement, meant = action_targets(name, mirror, shape)
        tolerance = torch.full_like(shape[:, 0], _SKIN)
        tolerance[list(_FEATURES)] = _FEATURE
        tolerance[meant] = _MEANT
        # Rows of the basis over their tolerance, so that plain least squares weighs them.
        rows = (model.expression_basis / tolerance[:, None]).flatten(1)
        wanted = (displacement / tolerance[:, None]).flatten()
        direction = torch.linalg.solve(rows @ rows.T + prior, rows @ wanted)
        directions.append(direction * _gain(model, direction, displacement, meant))
    return torch.stack(directions)


def coverage(model: MorphableModel, direction: Tensor, displacement: Tensor, meant: Tensor) -> Tensor:
    """Fraction of a displacement (478, 3) that a direction (64,) reaches at the vertices ``meant`` (478,) bool."""
    covered = model.offsets(direction[None])[0][meant]
    return (covered * displacement[meant]).sum() / displacement[meant].square().sum().clamp_min(1e-12)


def _gain(model: MorphableModel, direction: Tensor, displacement: Tensor, meant: Tensor) -> Tensor:
    return coverage(model, direction, displacement, meant).clamp_min(1 / _LARGEST_GAIN).reciprocal()
