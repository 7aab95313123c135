"""Building blocks that the official renderer's networks share; tensors are named as in the official files."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU over pictures (``axes`` 2) or volumes (3); keeps the size."""

    def __init__(self, inputs: int, outputs: int, axes: int) -> None:
        super().__init__()
        self.conv = (nn.Conv2d if axes == 2 else nn.Conv3d)(inputs, outputs, 3, padding=1)
        self.norm = (nn.BatchNorm2d if axes == 2 else nn.BatchNorm3d)(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(self.norm(self.conv(x)))


class DownBlock(ConvBlock):
    """A ``ConvBlock`` that then halves height and width."""

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return F.avg_pool2d(x, 2) if x.dim() == 4 else F.avg_pool3d(x, (1, 2, 2))


class UpBlock(ConvBlock):
    """A ``ConvBlock`` for volumes that first doubles height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, axes=3)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=(1, 2, 2)))


def coordinate_grid(depth: int, height: int, width: int, like: Tensor) -> Tensor:
    """Places (depth, height, width, 3) of a volume's voxels, (x, y, z) in [-1, 1], corners at the corner voxels."""
    z, y, x = (2 * (torch.arange(size).to(like) / (size - 1)) - 1 for size in (depth, height, width))
    return torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1], -1)
