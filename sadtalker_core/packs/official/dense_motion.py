"""Dense motion: two sets of 15 keypoints -> from where each voxel of the portrait's features comes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import DownBlock, UpBlock, coordinate_grid
from .keypoints import DEPTH, KEYPOINTS

FEATURES = 32
_COMPRESSED = 4
_MOTIONS = KEYPOINTS + 1
"""One for each keypoint, and the background's, which rests."""
_HINTS = _MOTIONS * (1 + _COMPRESSED)
_VARIANCE = 0.01
"""Variance of the heat around a keypoint, in units of the volume."""
_LEAST_HEAT = 1e-20
_SMALLEST_SHARE = 1e-3
"""A motion with a smaller weight in a voxel is left out, without making up for it, as in the original."""


@dataclass(frozen=True, slots=True)
class MotionSource:
    """What the motion network needs to know of the portrait; the same for every frame."""

    keypoints: Tensor
    """(15, 3)"""
    compressed: Tensor
    """(1, 4, 16, h, w) features"""
    heat: Tensor
    """(1, 15, 16, h, w) around the keypoints"""


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the features of B frames come from."""

    deformation: Tensor
    """(B, 16, h, w, 3) places (x, y, z) in the portrait's volume, [-1, 1]"""
    occlusion: Tensor
    """(B, 1, h, w) from 0 (not seen in the portrait, to be invented) to 1"""


class DenseMotion(nn.Module):
    """Keypoints of the portrait and of a frame -> ``Motion``."""

    def __init__(self) -> None:
        super().__init__()
        self.compress = nn.Conv3d(FEATURES, _COMPRESSED, 1)
        self.norm = nn.BatchNorm3d(_COMPRESSED)
        self.hourglass = _Hourglass()
        self.mask = nn.Conv3d(_Decoder.OUTPUTS, _MOTIONS, 7, padding=3)
        self.occlusion = nn.Conv2d(_Decoder.OUTPUTS * DEPTH, 1, 7, padding=3)

    def prepare(self, features: Tensor, keypoints: Tensor) -> MotionSource:
        """The portrait's part, from its features (1, 32, 16, h, w) and keypoints (15, 3)."""
        compressed = F.relu_(self.norm(self.compress(features)))
        return MotionSource(keypoints, compressed, keypoint_heat(keypoints[None], compressed))

    def forward(self, source: MotionSource, driving: Tensor) -> Motion:
        """Motion of frames with the keypoints ``driving`` (B, 15, 3)."""
        grid = coordinate_grid(*source.compressed.shape[2:], like=driving)
        shifts = F.pad(source.keypoints - driving, (0, 0, 1, 0))  # (B, 16, 3), the background's first
        x = self.hourglass(self._hints(source, driving, grid, shifts))
        shares = self.mask(x).softmax(1)
        shares = shares.where(shares >= _SMALLEST_SHARE, 0)  # (B, 16, 16, h, w)
        moved = torch.einsum("bkdhw,bkc->bdhwc", shares, shifts)
        deformation = moved.addcmul_(grid, shares.sum(1)[..., None])
        return Motion(deformation, self.occlusion(x.flatten(1, 2)).sigmoid())

    def _hints(self, source: MotionSource, driving: Tensor, grid: Tensor, shifts: Tensor) -> Tensor:
        """(B, 80, 16, h, w): for each motion the heat it causes and the features it moves."""
        batch = len(driving)
        hints = driving.new_empty(batch, _MOTIONS, 1 + _COMPRESSED, *source.compressed.shape[2:])
        hints[:, 0, 0] = 0
        hints[:, 1:, 0] = keypoint_heat(driving, source.heat) - source.heat
        for frame in range(batch):
            moved = grid + shifts[frame, :, None, None, None]
            # The grid ends at the middle of the corner voxels, but is read as if it ended at their edges: so trained.
            features = source.compressed.expand(_MOTIONS, -1, -1, -1, -1)
            hints[frame, :, 1:] = F.grid_sample(features, moved, align_corners=False)
        return hints.flatten(1, 2)


def keypoint_heat(keypoints: Tensor, volume: Tensor) -> Tensor:
    """Heat (B, K, D, h, w) around keypoints (B, K, 3), 1 at each, in a volume shaped as ``volume`` (..., D, h, w)."""
    grid = coordinate_grid(*volume.shape[-3:], like=keypoints)
    squared = (grid - keypoints[:, :, None, None, None]).square().sum(-1)
    heat = squared.mul_(-0.5 / _VARIANCE).exp_()
    # Far from the keypoint it is a denormal number, with which a processor convolves several times more slowly.
    return F.threshold(heat, _LEAST_HEAT, 0, inplace=True)


class _Hourglass(nn.Module):
    """Hints (B, 80, 16, h, w) -> features (B, 112, 16, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()
        self.decoder = _Decoder()

    def forward(self, hints: Tensor) -> Tensor:
        return self.decoder(self.encoder(hints))


class _Encoder(nn.Module):
    """All resolutions of the hints, the finest first."""

    CHANNELS = (_HINTS, 64, 128, 256, 512, 1024)

    def __init__(self) -> None:
        super().__init__()
        pairs = zip(self.CHANNELS, self.CHANNELS[1:], strict=False)
        self.down_blocks = nn.ModuleList(DownBlock(*pair, axes=3) for pair in pairs)

    def forward(self, hints: Tensor) -> list[Tensor]:
        levels = [hints]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class _Decoder(nn.Module):
    """Back to the finest resolution, each joined to the encoder's."""

    OUTPUTS = 32 + _HINTS

    def __init__(self) -> None:
        super().__init__()
        outputs = (512, 256, 128, 64, 32)
        inputs = (1024, *(2 * channels for channels in outputs[:-1]))
        self.up_blocks = nn.ModuleList(UpBlock(*pair) for pair in zip(inputs, outputs, strict=True))
        self.conv = nn.Conv3d(self.OUTPUTS, self.OUTPUTS, 3, padding=1)
        self.norm = nn.BatchNorm3d(self.OUTPUTS)

    def forward(self, levels: list[Tensor]) -> Tensor:
        x = levels.pop()
        for block in self.up_blocks:
            x = torch.cat((block(x), levels.pop()), 1)
        return F.relu_(self.norm(self.conv(x)))
