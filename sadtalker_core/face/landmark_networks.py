"""The two convolutional networks of Google's face landmarker, as plain modules.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, and Kartynnik et
al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019; sizes as in face_landmarker.task.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DETECTOR_SIZE = 128
"""Side of the detector's square input, pixels."""
MESH_SIZE = 256
"""Side of the mesh network's square input, pixels."""
MESH_POINTS = 478
"""468 points of the face, then 5 of each iris."""
FACE_KEYPOINTS = 6
"""Eye, eye (left one in the picture first), nose tip, mouth, ear, ear."""
ANCHOR_GRIDS = ((16, 2), (8, 6))
"""(cells a side, anchors a cell) of the detector's two grids, in the order of its output."""

_DETECTOR_BLOCKS = (
    (24, 24, 1), (24, 28, 1), (28, 32, 2), (32, 36, 1), (36, 42, 1), (42, 48, 2), (48, 56, 1), (56, 64, 1),
    (64, 72, 1), (72, 80, 1), (80, 88, 1), (88, 96, 2), (96, 96, 1), (96, 96, 1), (96, 96, 1), (96, 96, 1),
)  # fmt: skip
"""(channels in, channels out, stride)"""
_FINE_BLOCKS = 11
"""Blocks before the 16 x 16 grid is read; the rest lead to the 8 x 8 grid."""
_BOX_VALUES = 4 + 2 * FACE_KEYPOINTS

_MESH_STAGES = ((16, 8), (32, 16), (64, 32), (128, 64), (128, 64), (128, 64), (128, 64))
"""(channels, squeezed channels); each stage but the first halves the resolution"""
_MESH_STAGE_BLOCKS = (4, 5, 5, 5, 5, 5, 5)


class DetectorOutput(NamedTuple):
    """What the detector says about each of its 896 anchors."""

    boxes: Tensor
    """(B, 896, 16) pixels of the input relative to the anchor: centre x, y, width, height, then six points x, y"""
    logits: Tensor
    """(B, 896) log-odds that the anchor holds a face"""


class MeshOutput(NamedTuple):
    """What the mesh network says about a picture of one upright face."""

    points: Tensor
    """(B, 478, 3) pixels of the input; z in the same unit, negative towards the camera"""
    logits: Tensor
    """(B,) log-odds that there is a face"""


class FaceDetectorNetwork(nn.Module):
    """BlazeFace, short range: finds faces that fill at least about a tenth of the picture."""

    def __init__(self) -> None:
        super().__init__()
        first = _DETECTOR_BLOCKS[0][0]
        blocks = [DetectorBlock(*sizes) for sizes in _DETECTOR_BLOCKS]
        self.stem = nn.Conv2d(3, first, 5, 2)
        self.fine = nn.Sequential(*blocks[:_FINE_BLOCKS])
        self.coarse = nn.Sequential(*blocks[_FINE_BLOCKS:])
        (_, fine_anchors), (_, coarse_anchors) = ANCHOR_GRIDS
        fine, coarse = _DETECTOR_BLOCKS[_FINE_BLOCKS - 1][1], _DETECTOR_BLOCKS[-1][1]
        self.fine_logits = nn.Conv2d(fine, fine_anchors, 1)
        self.fine_boxes = nn.Conv2d(fine, fine_anchors * _BOX_VALUES, 1)
        self.coarse_logits = nn.Conv2d(coarse, coarse_anchors, 1)
        self.coarse_boxes = nn.Conv2d(coarse, coarse_anchors * _BOX_VALUES, 1)

    def forward(self, pictures: Tensor) -> DetectorOutput:
        """Pictures (B, 3, 128, 128) RGB in [-1, 1]."""
        fine = self.fine(F.relu(self.stem(F.pad(pictures, (1, 2, 1, 2)))))  # (B, 88, 16, 16)
        coarse = self.coarse(fine)  # (B, 96, 8, 8)
        boxes = (_by_anchor(self.fine_boxes(fine), _BOX_VALUES), _by_anchor(self.coarse_boxes(coarse), _BOX_VALUES))
        logits = (_by_anchor(self.fine_logits(fine), 1), _by_anchor(self.coarse_logits(coarse), 1))
        return DetectorOutput(torch.cat(boxes, 1), torch.cat(logits, 1).squeeze(2))


class DetectorBlock(nn.Module):
    """Depthwise and pointwise convolution beside a skip path that pools and adds empty channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.padding = 1 if stride == 1 else 0
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, stride, self.padding, groups=channels_in)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        # With stride 2 the network expects the extra row and column behind the picture only.
        padded = x if self.stride == 1 else F.pad(x, (0, 1, 0, 1))
        change = self.pointwise(self.depthwise(padded))
        return _add_skip(change, x, self.stride).relu_()


class FaceMeshNetwork(nn.Module):
    """Face mesh with irises: 478 points of the one face that fills the picture."""

    def __init__(self) -> None:
        super().__init__()
        channels = _MESH_STAGES[0][0]
        self.stem = nn.Conv2d(3, channels, 3, 2)
        self.stem_activation = nn.PReLU(channels)
        stages: list[nn.Module] = []
        for index, (wide, narrow) in enumerate(_MESH_STAGES):
            blocks: list[nn.Module] = []
            for number in range(_MESH_STAGE_BLOCKS[index]):
                stride = 2 if index > 0 and number == 0 else 1
                squeezed = min(channels, narrow)
                blocks.append(MeshBlock(channels, squeezed, wide, stride))
                channels = wide
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.points = nn.Conv2d(channels, MESH_POINTS * 3, 2)
        self.presence = nn.Conv2d(channels, 1, 2)

    def forward(self, pictures: Tensor) -> MeshOutput:
        """Pictures (B, 3, 256, 256) RGB in [0, 1]."""
        x = self.stem_activation(self.stem(F.pad(pictures, (0, 1, 0, 1))))  # (B, 16, 128, 128)
        x = self.stages(x)  # (B, 128, 2, 2)
        return MeshOutput(self.points(x).reshape(-1, MESH_POINTS, 3), self.presence(x).flatten())


class MeshBlock(nn.Module):
    """Residual bottleneck: squeeze (halving the resolution if the stride is 2), depthwise 3 x 3, expand."""

    def __init__(self, channels_in: int, squeezed: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.squeeze = nn.Conv2d(channels_in, squeezed, stride, stride)
        self.squeeze_activation = nn.PReLU(squeezed)
        self.depthwise = nn.Conv2d(squeezed, squeezed, 3, padding=1, groups=squeezed)
        self.expand = nn.Conv2d(squeezed, channels_out, 1)
        self.activation = nn.PReLU(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        change = self.expand(self.depthwise(self.squeeze_activation(self.squeeze(x))))
        return self.activation(_add_skip(change, x, self.stride))


def _add_skip(change: Tensor, x: Tensor, stride: int) -> Tensor:
    """``change`` plus the block's input in its first channels; in place, as memory traffic is what takes time here."""
    change[:, : x.shape[1]] += F.max_pool2d(x, 2) if stride == 2 else x
    return change


def _by_anchor(x: Tensor, values: int) -> Tensor:
    B, C, H, W = x.shape  # noqa: N806
    anchors = C // values
    return x.permute(0, 2, 3, 1).reshape(B, H * W * anchors, values)
