"""Where the eyes look: the eyeball seen through the lids, with its iris moved."""

from __future__ import annotations

import torch
from torch import Tensor

from ...face.aperture import Aperture

_IRIS_SHARE = 0.17
"""Half the width that moves with the iris unchanged, in the eye's length; the white beside it stretches or shrinks."""
_LEAST_WHITE = 0.06
"""What stays between that part and the corner, same unit."""
_RIM = 0.04
"""Part of the eye's opening, at either lid, that shows lashes and shadow rather than eyeball, same unit."""


def look(eye: Aperture, iris: Tensor, shift: Tensor, place: Tensor) -> Tensor:
    """Places in the portrait (B, N, 2) of an eyeball's points, when its iris has moved.

    Along the eye, what lies beside the iris stretches between it and the corners, which stay. No point leaves the
    opening of the portrait's own eye: where lids open wider, the eyeball's last rows go on.

    Args:
        eye: the portrait's own, B = 1.
        iris: (2,) its centre in the portrait, pixels.
        shift: (B, 2) how far it moves, pixels of the portrait.
        place: (B, N, 2) the same points if it had not moved, pixels of the portrait.
    """
    edge = _IRIS_SHARE + _LEAST_WHITE
    own = eye.place(iris[None, None])[0].clamp(edge, 1 - edge)  # (1, 1)
    moved = eye.place((iris + shift)[:, None])[0].clamp(edge, 1 - edge)  # (B, 1)
    along, over = eye.place(place)
    left, right = moved - _IRIS_SHARE, moved + _IRIS_SHARE
    target = along - (moved - own)
    target = torch.where(along < left, along * ((own - _IRIS_SHARE) / left), target)
    target = torch.where(along > right, 1 - (1 - along) * ((1 - own - _IRIS_SHARE) / (1 - right)), target)
    held = torch.minimum(along / left, (1 - along) / (1 - right)).clamp(0, 1)
    across = torch.stack((eye.axis[:, 1], -eye.axis[:, 0]), 1)  # (1, 2) upwards
    upper, lower = eye.edges(target.clamp(0, 1))
    rim = torch.minimum(_RIM * eye.length[:, None], (upper - lower) / 2)
    over = over - held * (shift * across).sum(1, keepdim=True)
    # Turning back at the lid, rather than stopping a rim before it, changes nothing where nothing moves.
    over = torch.where(over > upper, upper - torch.minimum(over - upper, rim), over)
    over = torch.where(over < lower, lower + torch.minimum(lower - over, rim), over)
    return (
        eye.origin[:, None]
        + (target * eye.length[:, None])[..., None] * eye.axis[:, None]
        + over[..., None] * across[:, None]
    )
