"""Bilinear enlargement and reduction of 8-bit pictures, to the bit as OpenCV computes it.

Its fixed-point arithmetic rounds down on the way, by an eighth of a grey level in the mean, and pasting adds that up.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WEIGHT_BITS = 11
_ONE = 1 << _WEIGHT_BITS


def resize_levels(levels: Tensor, height: int, width: int) -> Tensor:
    """Grey levels (..., height, width) of pictures (..., h, w), both 0..255 in int32, without smoothing."""
    left, right, weight = _taps(levels.shape[-1], width, levels.device)
    rows = levels.index_select(-1, left) * (_ONE - weight) + levels.index_select(-1, right) * weight
    rows = rows >> 4  # so that products with another weight fit
    upper, lower, weight = _taps(levels.shape[-2], height, levels.device)
    weight = weight[:, None]
    above = (rows.index_select(-2, upper) * (_ONE - weight)) >> 16
    below = (rows.index_select(-2, lower) * weight) >> 16
    return (above + below + 2) >> 2


def _taps(length: int, wanted: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each of ``wanted`` pixels the two it lies between, among ``length``, and the weight of the second."""
    place = ((torch.arange(wanted, dtype=torch.float64) + 0.5) * (length / wanted) - 0.5).clamp(0, length - 1).float()
    first = place.floor()
    weight = ((place - first) * _ONE).round().int()
    first = first.long()
    return first.to(device), (first + 1).clamp(max=length - 1).to(device), weight.to(device)
