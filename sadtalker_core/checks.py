"""Shape checks for the seams between stages."""

from __future__ import annotations

from torch import Tensor

from .errors import BasisMismatchError, ShapeError


def check_shape(name: str, tensor: Tensor, expected: str) -> dict[str, int]:
    """Check ``tensor`` against a pattern such as ``"T 1 80 16"`` and return the sizes of its letters.

    A number must match exactly; a letter stands for any size, the same at each place where it occurs.

    Raises:
        ShapeError: the number of axes, a fixed size, or a repeated letter does not fit.
    """
    parts = expected.split()
    sizes: dict[str, int] = {}
    actual = tuple(tensor.shape)
    fits = len(parts) == len(actual)
    for part, size in zip(parts, actual, strict=False):
        fits = fits and (int(part) == size if part.isdigit() else sizes.setdefault(part, size) == size)
    if not fits:
        raise ShapeError(name, ", ".join(parts), actual)
    return sizes


def check_basis(stage: str, expected: str, actual: str) -> None:
    """Raise ``BasisMismatchError`` unless both coefficient bases are the same."""
    if expected != actual:
        raise BasisMismatchError(stage, expected, actual)
