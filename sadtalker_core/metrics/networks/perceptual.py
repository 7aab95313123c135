"""LPIPS: how different do two pictures look? Layouts of torchvision's AlexNet and of the linear heads, version 0.1.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.alexnet import AlexNet

from ...checks import check_shape

_CHANNELS = (64, 192, 384, 256, 256)
_TAPS = (1, 4, 7, 9, 11)
"""Layers of AlexNet whose outputs are compared: each rectifier."""
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, in [0, 1]."""


class PerceptualHeads(nn.Module):
    """Weights of the channels of five layers."""

    def __init__(self) -> None:
        super().__init__()
        for number, channels in enumerate(_CHANNELS):
            self.add_module(f"lin{number}", _Head(channels))

    def forward(self, differences: list[Tensor]) -> Tensor:
        """Distances (B,) from the squared differences (B, C, H, W) of each layer."""
        found = [head(part).mean((1, 2, 3)) for head, part in zip(self.children(), differences, strict=True)]
        return torch.stack(found).sum(0)


class PerceptualDistance(nn.Module):
    """Distance of pictures through AlexNet and its heads."""

    def __init__(self, network: AlexNet, heads: PerceptualHeads) -> None:
        super().__init__()
        self.layers = network.features
        self.heads = heads

    def forward(self, pictures: Tensor, ground_truths: Tensor) -> Tensor:
        """Distances (B,) of pictures to ground truths, both (B, 3, H, W) RGB in [0, 1]; 0 where they are equal."""
        check_shape("LPIPS's ground truths", ground_truths, "{} {} {} {}".format(*pictures.shape))
        x = torch.cat((pictures, ground_truths))
        x = (x - x.new_tensor(_MEAN)[:, None, None]) / x.new_tensor(_SPREAD)[:, None, None]
        differences = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in _TAPS:
                one, other = (x / (x.norm(dim=1, keepdim=True) + 1e-10)).chunk(2)
                differences.append((one - other).square())
        return self.heads(differences)


class _Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)
