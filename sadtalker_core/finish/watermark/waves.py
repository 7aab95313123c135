"""The waves that carry the invisible mark: which cosines over a frame, and what each stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from .payload import CODE_BITS

LOWEST, HIGHEST = 8, 32
"""Periods of the waves over the frame."""
_KEY = 20230322
"""Seed of the choice of waves; another one would make another kind of mark, that the detector does not see."""


@dataclass(frozen=True, slots=True)
class Waves:
    """The cosines that carry the mark."""

    down: Tensor
    """(N,) half periods over the height"""
    across: Tensor
    """(N,) half periods over the width"""
    code_bit: Tensor
    """(N,) which bit of ``payload.encode`` each stands for"""
    sign: Tensor
    """(N,) its sign, 1 or -1, for a bit that is 1"""


@cache
def waves() -> Waves:
    """All of them; always the same."""
    half_periods = torch.arange(2 * HIGHEST)
    down, across = torch.meshgrid(half_periods, half_periods, indexing="ij")
    periods = torch.hypot(down.float(), across.float()) / 2
    # Waves in one direction alone would be seen first, and are most like what pictures hold.
    carry = (periods >= LOWEST) & (periods < HIGHEST) & (down > 0) & (across > 0)
    count = int(carry.sum())
    random = np.random.RandomState(_KEY)  # the one generator of numpy whose numbers never change
    code_bit = torch.from_numpy(random.permutation(count) % CODE_BITS)
    sign = torch.from_numpy(random.randint(0, 2, count) * 2.0 - 1.0).float()
    return Waves(down[carry], across[carry], code_bit, sign)


def cosines(length: int, first: float = 0.0, last: float = 1.0) -> Tensor:
    """(64, length) cosines of 0, 1, ... half periods, of root mean square 1, at so many pixels of the frame's side.

    Args:
        first, last: where on the side the pixels begin and end, as shares of it; they may show a part of it.
    """
    places = first + (last - first) * (torch.arange(length, dtype=torch.float64) + 0.5) / length
    half_periods = torch.arange(2 * HIGHEST, dtype=torch.float64)[:, None]
    return (math.sqrt(2) * torch.cos(math.pi * half_periods * places)).float()
