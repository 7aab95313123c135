"""Pictures as tensors <-> 8-bit levels, colours last, as image libraries and encoders take them."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

Levels = NDArray[np.uint8]
"""(..., H, W, 3) RGB in 0..255"""


def levels_of(pictures: Tensor) -> Levels:
    """Levels (..., H, W, 3) of pictures (..., 3, H, W) in [0, 1], rounded; in memory of their own, on the CPU."""
    levels = (pictures * 255).round().clamp(0, 255).byte()
    return rearrange(levels, "... c h w -> ... h w c").contiguous().cpu().numpy()


def pictures_of(levels: Levels) -> Tensor:
    """Pictures (..., 3, H, W) float32 in [0, 1], on the CPU, of levels (..., H, W, 3)."""
    writable = levels if levels.flags.writeable else levels.copy()
    return rearrange(torch.from_numpy(np.ascontiguousarray(writable)), "... h w c -> ... c h w").float() / 255
