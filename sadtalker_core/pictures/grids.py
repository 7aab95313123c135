"""Boxes and grids of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """A box of pixels, bottom and right exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def empty(self) -> bool:
        return self.top >= self.bottom or self.left >= self.right

    def of(self, pictures: Tensor) -> Tensor:
        """The box of pictures (B, C, h, w), as a view."""
        return pictures[:, :, self.top : self.bottom, self.left : self.right]

    def pixels(self, like: Tensor) -> Tensor:
        """Centres (1, N, 2) of its pixels, in row order."""
        grid = pixel_grid(self.bottom - self.top, self.right - self.left, 1, like).flatten(2).transpose(1, 2)
        return grid + grid.new_tensor((self.left, self.top))


def pixel_grid(rows: int, columns: int, stride: float, like: Tensor) -> Tensor:
    """Centres (1, 2, rows, columns), pixels, of a grid whose cells are ``stride`` pixels wide."""
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) * stride
    x = (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) * stride
    return torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]))[None]


def unit_grid(rows: int, columns: int, like: Tensor) -> Tensor:
    """Centres (2, rows, columns) of a picture's pixels, x then y, over its sides from -1 to 1, as grid_sample counts
    them with ``align_corners=False``."""
    y = (torch.arange(rows, device=like.device, dtype=like.dtype) + 0.5) * (2 / rows) - 1
    x = (torch.arange(columns, device=like.device, dtype=like.dtype) + 0.5) * (2 / columns) - 1
    return torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]))
