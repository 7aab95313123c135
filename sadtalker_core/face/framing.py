"""Which part of a picture may be rendered, and at which size: the choices of a user."""

from __future__ import annotations

FRAMINGS = ("crop", "extcrop", "resize", "full", "extfull")
"""Which part of the picture is rendered. crop: head; extcrop: with more around it; resize: the whole picture; full and
extfull: as crop and extcrop, meant to be pasted back into the picture (the open pack animates the whole picture)."""
PASTED_FRAMINGS = ("full", "extfull")
MIN_SIZE, MAX_SIZE = 256, 1024
"""Smallest and largest longer side of the frames, pixels."""
OWN_SIZE = 0
"""In place of a size: frames of as many pixels as their part of the picture has."""
MAX_OWN_SIZE = 4096
"""Longer side beyond which such frames are reduced after all."""


def own_size(longer_side: int) -> int:
    """Longer side of the frames of a part of the picture with so many pixels on its longer side, at its own size."""
    return min(longer_side, MAX_OWN_SIZE)
