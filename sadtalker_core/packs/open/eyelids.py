"""Closing eyelids: lashes turn down with the lid instead of stretching over it, and no white shows between lids."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...face.aperture import Aperture
from ...pictures.grids import Window, pixel_grid

_LASHES = 0.2
"""Height of the band of lashes above the upper lid's edge, in the eye's length."""
_FLATTENED = 0.75
"""Share of that height by which lashes look shorter when the eye is shut: they then point at the camera."""
_LID = 0.65
"""Height above the edge over which the lid's skin makes up for it, same unit."""
_CONTRAST = 0.1
"""Difference of brightness between lashes and the skin above them."""
_RIM = 0.05
"""How far from its edge the skin of a shut lid begins, same unit: the edge's wet rim turns inwards."""
_RIM_FADES = 0.14
"""Distance over which that ends below the lower edge and inside the opening, same unit."""


def lashes(picture: Tensor, eye: Aperture) -> float:
    """How far there are lashes to fold, 0 to 1: the lid is darker at its edge than above them.

    Where it is not, as under the rim of glasses, what lies above must not be drawn down.
    """
    along = torch.linspace(0.25, 0.75, 11).to(picture)[None]
    upper, _ = eye.edges(along)
    up = torch.stack((eye.axis[:, 1], -eye.axis[:, 0]), 1)
    rows = []
    for height in (0.03, 0.06, 0.09, 0.16, 0.2, 0.24):
        over = upper + height * eye.length
        rows.append(eye.origin + along[0, :, None] * eye.length * eye.axis + over[0, :, None] * up)
    size = picture.new_tensor((picture.shape[2], picture.shape[1]))
    grid = torch.stack(rows)[None] * (2 / size) - 1
    light = F.grid_sample(picture[None], grid, padding_mode="border", align_corners=False)[0].mean((0, 2))
    return float(((light[3:].min() - light[:3].mean()) / _CONTRAST).clamp(0, 1))


def closure(own: Aperture, driven: Aperture) -> Tensor:
    """How far each frame's eye is closed (B,) compared with the portrait's: 0 as open, 1 shut."""
    gaps = [(eye.heights[:, 0] - eye.heights[:, 1]).mean(1) / eye.length for eye in (own, driven)]
    return (1 - gaps[1] / gaps[0].clamp_min(1e-3)).clamp(0, 1)


def fold_lids(upper: Tensor, lower: Tensor, own: Aperture, driven: Aperture, lashes: float, stride: int) -> None:
    """Change the displacements (B, 2, rows, columns) above and below one eye, pixels, for a lid that closes.

    Args:
        upper, lower: from a cell to its place in the portrait; changed in place.
        own, driven: the eye in the portrait (B = 1) and in the frames.
        lashes: how far there are lashes to fold.
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
    raised = (_RIM + lashes * (flattened - _RIM) * root) * (1 - over_upper / _LID).clamp(0, 1)
    raised = raised * (1 + over_upper / _RIM_FADES).clamp(0, 1)
    lowered = -_RIM * (1 - under_lower.abs() / _RIM_FADES).clamp(0, 1)
    up = torch.stack((own.axis[:, 1], -own.axis[:, 0]), 1)[:, :, None]
    for field, shift in ((upper, raised), (lower, lowered)):
        window.of(field).add_(((amount * shift)[:, None] * up).unflatten(2, (rows, columns)))
