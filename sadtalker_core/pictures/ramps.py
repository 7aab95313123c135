"""Weights that pass from 0 to 1 without an edge."""

from __future__ import annotations

from typing import TypeVar

from numpy.typing import NDArray
from torch import Tensor

Weights = TypeVar("Weights", Tensor, NDArray)


def smoothstep(weight: Weights) -> Weights:
    """A weight in 0..1, any shape, that leaves 0 and reaches 1 with slope 0: 3 w^2 - 2 w^3."""
    return weight * weight * (3 - 2 * weight)
