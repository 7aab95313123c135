"""Closing eyelids: lashes turn down with the lid instead of stretching over it, and no white shows between lids."""

from __future__ import annotations

import torch
from torch import Tensor

from .aperture import Aperture, Window, pixel_grid

_LASHES = 0.2
"""Height of the band of lashes above the upper lid's edge, in the eye's length."""
_FLATTENED = 0.75
"""Share of that height by which lashes look shorter when the eye is shut: they then point at the camera."""
_LID = 0.65
"""Height above the edge over which the lid's skin makes up for it, same unit."""
_RIM = 0.05
"""How far from its edge the skin of a shut lid begins, same unit: the edge's wet rim turns inwards."""
_RIM_FADES = 0.14
"""Distance over which that ends below the lower edge and inside the opening, same unit."""


def closure(own: Aperture, driven: Aperture) -> Tensor:
    """How far each frame's eye is closed (B,) compared with the portrait's: 0 as open, 1 shut."""
    gaps = [(eye.heights[:, 0] - eye.heights[:, 1]).mean(1) / eye.length for eye in (own, driven)]
    return (1 - gaps[1] / gaps[0].clamp_min(1e-3)).clamp(0, 1)


def fold_lids(upper: Tensor, lower: Tensor, own: Aperture, driven: Aperture, stride: int) -> None:
    """Change the displacements (B, 2, rows, columns) above and below one eye, pixels, for a lid that closes.

    Args:
        upper, lower: from a cell to its place in the portrait; changed in place.
        own, driven: the eye in the portrait (B = 1) and in the frames.
        stride: pixels a cell.
    """
    size = torch.Size(count * stride for count in upper.shape[2:])
    box = driven.surroundings(size, beside=0.1, above=1.5 * _LID, below=_LID)
    window = Window(box.top // stride, -(-box.bottom // stride), box.left // stride, -(-box.right // stride))
    if box.empty:
        return
    rows, columns = window.bottom - window.top, window.right - window.left
    pixels = pixel_grid(rows, columns, stride, upper).flatten(2).transpose(1, 2)
    view = driven.view(pixels + stride * pixels.new_tensor((window.left, window.top)))
    length = driven.length[:, None]
    middle = (4 * view.along * (1 - view.along)).clamp(0, 1).sqrt()
    amount = closure(own, driven)[:, None] * middle * own.length
    over_upper, under_lower = -view.below_upper / length, -view.above_lower / length
    flattened = _FLATTENED * _LASHES
    root = (over_upper / (_LASHES - flattened)).clamp(0, 1)
    raised = (_RIM + (flattened - _RIM) * root) * (1 - over_upper / _LID).clamp(0, 1)
    raised = raised * (1 + over_upper / _RIM_FADES).clamp(0, 1)
    lowered = -_RIM * (1 - under_lower.abs() / _RIM_FADES).clamp(0, 1)
    up = torch.stack((own.axis[:, 1], -own.axis[:, 0]), 1)[:, :, None]
    for field, shift in ((upper, raised), (lower, lowered)):
        window.of(field).add_(((amount * shift)[:, None] * up).unflatten(2, (rows, columns)))
