"""Keypoints of the official renderer: 15 points found in the portrait, then posed (face-vid2vid, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_shape
from .blocks import DownBlock, UpBlock, coordinate_grid

KEYPOINTS = 15
DEPTH = 16
"""Layers of every volume in the renderer."""
ANGLE_BINS = 66
_CHANNELS = (64, 128, 256, 512, 1024)
_TEMPERATURE = 0.1
_REDUCTION = 4
"""The detector works on a picture this many times smaller."""
_RADIANS_PER_DEGREE = 3.14 / 180
"""The networks were trained with this value of pi."""


class KeypointDetector(nn.Module):
    """Portrait (B, 3, S, S) in [0, 1] -> canonical keypoints (B, 15, 3): (x, y, z) in [-1, 1], head frontal."""

    def __init__(self) -> None:
        super().__init__()
        self.down = _Smoothing(13)
        self.predictor = _Predictor()
        self.kp = nn.Conv3d(32, KEYPOINTS, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        check_shape("picture", picture, "B 3 S S")
        logits = self.kp(self.predictor(self.down(picture)))  # (B, 15, 16, S / 4, S / 4)
        heat = (logits.flatten(2) / _TEMPERATURE).softmax(2)
        grid = coordinate_grid(*logits.shape[2:], like=heat)
        return heat @ grid.flatten(0, 2)


class _Smoothing(nn.Module):
    """A picture smaller by ``_REDUCTION``, smoothed against aliasing with the kernel of the weight file."""

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.empty(3, 1, taps, taps))
        self.padding = taps // 2

    def forward(self, picture: Tensor) -> Tensor:
        return F.conv2d(picture, self.weight, stride=_REDUCTION, padding=self.padding, groups=3)


class _Predictor(nn.Module):
    """Picture (B, 3, h, w) -> features (B, 32, 16, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        inputs, widest = (3, *_CHANNELS[:-1]), _CHANNELS[-1]
        self.down_blocks = nn.Sequential()
        for number, sizes in enumerate(zip(inputs, _CHANNELS, strict=True)):
            self.down_blocks.add_module(f"down{number}", DownBlock(*sizes, axes=2))
        self.conv = nn.Conv2d(widest, DEPTH * widest, 1)
        self.up_blocks = nn.Sequential()
        for number, channels in enumerate(_CHANNELS[::-1]):
            self.up_blocks.add_module(f"up{number}", UpBlock(channels, channels // 2))

    def forward(self, picture: Tensor) -> Tensor:
        volume = self.conv(self.down_blocks(picture)).unflatten(1, (_CHANNELS[-1], DEPTH))
        return self.up_blocks(volume)


def decode_degrees(logits: Tensor) -> Tensor:
    """Angles (B,) in degrees from the logits (B, 66) of bins that lie 3 degrees apart, the first at -99."""
    check_shape("logits", logits, f"B {ANGLE_BINS}")
    bins = torch.arange(ANGLE_BINS, device=logits.device, dtype=logits.dtype)
    return (logits.softmax(1) * bins).sum(1) * 3 - 99


def rotation_matrix(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """(B, 3, 3) for columns (x, y, z): about z by roll, then y by yaw, then x by pitch; angles (B,) in degrees.

    The networks were trained with 3.14 for pi, so a right angle is not quite one.
    """
    one, zero = torch.ones_like(yaw), torch.zeros_like(yaw)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, -1).unflatten(-1, (3, 3))

    a, b, c = (angle * _RADIANS_PER_DEGREE for angle in (pitch, yaw, roll))
    about_x = matrix(one, zero, zero, zero, a.cos(), -a.sin(), zero, a.sin(), a.cos())
    about_y = matrix(b.cos(), zero, b.sin(), zero, one, zero, -b.sin(), zero, b.cos())
    about_z = matrix(c.cos(), -c.sin(), zero, c.sin(), c.cos(), zero, zero, zero, one)
    return about_x @ about_y @ about_z


def transform_keypoints(
    canonical: Tensor, yaw: Tensor, pitch: Tensor, roll: Tensor, translation: Tensor, offsets: Tensor
) -> Tensor:
    """Keypoints (B, 15, 3) of a head in a pose: turned, moved, displaced by the expression.

    Args:
        canonical: (B, 15, 3) from ``KeypointDetector``.
        yaw: (B,) degrees, as ``pitch`` and ``roll``.
        translation: (B, 3); only y counts, since the original keeps the head in its column and at its distance.
        offsets: (B, 15, 3) of the expression.
    """
    check_shape("canonical", canonical, f"B {KEYPOINTS} 3")
    turned = canonical @ rotation_matrix(yaw, pitch, roll).transpose(1, 2)
    return turned + translation[:, None] * translation.new_tensor((0, 1, 0)) + offsets
