"""Streams over time, read between two frames."""

from __future__ import annotations

import torch
from torch import Tensor


def at_times(stream: Tensor, position: Tensor) -> Tensor:
    """Rows (..., C) of a stream (T, C), linearly interpolated.

    Args:
        stream: (T,) or (T, ...) any float type.
        position: any shape, in frames of the stream; positions outside 0..T - 1 take the first or the last row.
    """
    position = position.to(stream.device).clamp(0, stream.shape[0] - 1)
    before = position.long()
    after = (before + 1).clamp(max=stream.shape[0] - 1)
    weight = (position - before).to(stream).reshape(*position.shape, *[1] * (stream.ndim - 1))
    return torch.lerp(stream[before], stream[after], weight)
