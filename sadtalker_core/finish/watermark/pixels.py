"""What both marks ask of a frame."""

from __future__ import annotations

from torch import Tensor

from ...errors import SadTalkerError


def check_pixels(frame: Tensor) -> None:
    """Raise ``SadTalkerError`` unless a frame has pixels, with numbers in 0..1 or, from resampling, a little beyond."""
    if not frame.numel():
        raise SadTalkerError(f"Expected frames with pixels, got the shape {tuple(frame.shape)}.")
    low, high = (float(value) for value in frame.aminmax())
    if not (low >= -1 and high <= 2):  # also false for NaN
        raise SadTalkerError(f"Expected frames with numbers in 0..1, got {low:g} to {high:g}.")
