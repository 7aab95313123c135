"""The official renderer as the reference computes it, layer by layer: what the core is measured against.

Works on the core's modules and their weights; its results are those of the core but for rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def render(generator: nn.Module, picture: Tensor, source: Tensor, driving: Tensor) -> Tensor:
    """Frames (B, 3, S, S) of a portrait (1, 3, S, S), its keypoints (15, 3) and those of the frames (B, 15, 3)."""
    batch = len(driving)
    features = generator.encode(picture.expand(batch, -1, -1, -1))
    deformation, occlusion = move(generator.dense_motion_network, features, source, driving)
    warped = F.grid_sample(features, deformation, align_corners=False).flatten(1, 2)
    return decode(generator.decoder, generator.fourth(generator.third(warped)) * occlusion)


def move(network: nn.Module, features: Tensor, source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
    """Deformation (B, 16, h, w, 3) and occlusion (B, 1, h, w)."""
    batch, size = len(driving), features.shape[2:]
    compressed = F.relu(network.norm(network.compress(features)))
    axes = [2 * (torch.arange(count).to(features) / (count - 1)) - 1 for count in size]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
    moves = (grid - driving[:, :, None, None, None]) + source[:, None, None, None]
    motions = torch.cat((grid.expand(batch, 1, -1, -1, -1, -1), moves), 1)
    copies = compressed[:, None].expand(-1, motions.shape[1], -1, -1, -1, -1).flatten(0, 1)
    deformed = F.grid_sample(copies, motions.flatten(0, 1), align_corners=False).unflatten(0, (batch, -1))
    heat = _heat(grid, driving) - _heat(grid, source[None])
    heat = torch.cat((torch.zeros_like(heat[:, :1]), heat), 1)[:, :, None]
    x = network.hourglass(torch.cat((heat, deformed), 2).flatten(1, 2))
    mask = network.mask(x).softmax(1)
    mask = torch.where(mask < 1e-3, torch.zeros_like(mask), mask)
    return (motions * mask[..., None]).sum(1), network.occlusion(x.flatten(1, 2)).sigmoid()


def decode(decoder: nn.Module, features: Tensor) -> Tensor:
    """Frames (B, 3, 4 h, 4 w) of warped features (B, 256, h, w)."""
    x = decoder.fc(features)
    for name in decoder.middle:
        x = spade_block(decoder.get_submodule(name), x, features)
    x = spade_block(decoder.up_0, F.interpolate(x, scale_factor=2), features)
    x = spade_block(decoder.up_1, F.interpolate(x, scale_factor=2), features)
    return decoder.conv_img(F.leaky_relu(x, 0.2)).sigmoid()


def spade_block(block: nn.Module, x: Tensor, features: Tensor) -> Tensor:
    """One residual block of the decoder."""
    shortcut = block.conv_s(_modulate(block.norm_s, x, features)) if hasattr(block, "conv_s") else x
    x = block.conv_0(F.leaky_relu(_modulate(block.norm_0, x, features), 0.2))
    return shortcut + block.conv_1(F.leaky_relu(_modulate(block.norm_1, x, features), 0.2))


def _modulate(norm: nn.Module, x: Tensor, features: Tensor) -> Tensor:
    hidden = norm.mlp_shared(F.interpolate(features, x.shape[2:]))
    return F.instance_norm(x) * (1 + norm.mlp_gamma(hidden)) + norm.mlp_beta(hidden)


def _heat(grid: Tensor, keypoints: Tensor) -> Tensor:
    squared = (grid - keypoints[:, :, None, None, None]).square().sum(-1)
    return torch.exp(-0.5 * squared / 0.01)
