"""The generator of face-vid2vid: a portrait's features, moved voxel by voxel, become a frame."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ConvBlock, DownBlock
from .dense_motion import FEATURES, DenseMotion, Motion, MotionSource
from .keypoints import DEPTH
from .spade import FEATURES as WARPED_FEATURES
from .spade import SpadeDecoder

_FLAT = FEATURES * DEPTH
_RESIDUAL_BLOCKS = 6


class Generator(nn.Module):
    """Encoder, motion and decoder under the names of the official files; pictures of 256 or 512 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvBlock(3, 64, axes=2)
        self.down_blocks = nn.Sequential(DownBlock(64, 128, axes=2), DownBlock(128, 256, axes=2))
        self.second = nn.Conv2d(256, _FLAT, 1)
        self.resblocks_3d = nn.Sequential()
        for number in range(_RESIDUAL_BLOCKS):
            self.resblocks_3d.add_module(f"3dr{number}", ResidualBlock(FEATURES))
        self.dense_motion_network = DenseMotion()
        self.third = Flattening(_FLAT, WARPED_FEATURES)
        self.fourth = nn.Conv2d(WARPED_FEATURES, WARPED_FEATURES, 1)
        self.decoder = SpadeDecoder()

    def encode(self, picture: Tensor) -> Tensor:
        """Features (B, 32, 16, S / 4, S / 4) of portraits (B, 3, S, S) in [0, 1]."""
        flat = self.second(self.down_blocks(self.first(picture)))
        return self.resblocks_3d(flat.unflatten(1, (FEATURES, DEPTH)))

    def forward(self, features: Tensor, source: MotionSource, driving: Tensor) -> Tensor:
        """Frames (B, 3, S, S) in [0, 1].

        Args:
            features: (1, 32, 16, S / 4, S / 4) from ``encode``.
            source: of the same portrait, from ``dense_motion_network.prepare``.
            driving: keypoints (B, 15, 3) of the frames.
        """
        motion = self.dense_motion_network(source, driving)
        warped = warp_features(features, motion).flatten(1, 2)
        return self.decoder(self.fourth(self.third(warped)) * motion.occlusion)


def warp_features(features: Tensor, motion: Motion) -> Tensor:
    """Features (B, C, D, h, w) of frames from those of the portrait (1, C, D, h, w)."""
    features = features.expand(len(motion.deformation), -1, -1, -1, -1)
    return F.grid_sample(features, motion.deformation, align_corners=False)


class ResidualBlock(nn.Module):
    """Two pre-activated convolutions of a volume (B, C, D, h, w), added to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm3d(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm3d(channels)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv1(F.relu_(self.norm1(x)))
        return self.conv2(F.relu_(self.norm2(change))) + x


class Flattening(nn.Module):
    """The warped volume, its layers as channels, -> fewer channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu_(self.norm(self.conv(x)), 0.01)
