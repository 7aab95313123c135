"""Bilinear enlargement and reduction of 8-bit pictures, to the bit as OpenCV computes it.

Its fixed-point arithmetic rounds down on the way, by an eighth of a grey level in the mean, and pasting adds that up.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WEIGHT_BITS = 11
_ONE = 1 << _WEIGHT_BITS


def resize_levels(levels: Tensor, height: int, width: int) -> Tensor:
    """Grey levels (..., C, height, width) of pictures (..., C, h, w), both 0..255 in int32, without smoothing."""
    pixels = levels.movedim(-3, -1).contiguous()  # colours last: whole pixels are gathered at once
    left, right, weight = _taps(levels.shape[-1], width, levels.device)
    weight = weight[:, None]
    rows = pixels.index_select(-2, left).mul_(_ONE - weight)
    rows.addcmul_(pixels.index_select(-2, right), weight)
    rows >>= 4  # so that products with another weight fit
    upper, lower, weight = _taps(levels.shape[-2], height, levels.device)
    weight = weight[:, None, None]
    above = rows.index_select(-3, upper).mul_(_ONE - weight)
    below = rows.index_select(-3, lower).mul_(weight)
    above >>= 16
    below >>= 16
    return (above.add_(below).add_(2) >> 2).movedim(-1, -3)


def _taps(length: int, wanted: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each of ``wanted`` pixels the two it lies between, among ``length``, and the weight of the second."""
    place = ((torch.arange(wanted, dtype=torch.float64) + 0.5) * (length / wanted) - 0.5).clamp(0, length - 1).float()
    first = place.floor()
    weight = ((place - first) * _ONE).round().int()
    first = first.long()
    return first.to(device), (first + 1).clamp(max=length - 1).to(device), weight.to(device)
