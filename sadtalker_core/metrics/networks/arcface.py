"""ArcFace's embedding of faces by IR-SE50, layout of ``recognition_arcface_ir_se50.pth``.

Deng et al., "ArcFace: additive angular margin loss for deep face recognition", 2019; squeeze-and-excitation after Hu
et al., "Squeeze-and-excitation networks", 2018.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_shape

FACE_SIZE = 112
FEATURES = 512
_STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
"""Channels and blocks; the first block of each stage halves the picture."""
_REDUCTION = 16


class ArcFace(nn.Module):
    """Aligned faces -> embeddings of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(512),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(512 * (FACE_SIZE // 16) ** 2, FEATURES),
            nn.BatchNorm1d(FEATURES),
        )
        blocks, inputs = [], 64
        for channels, count in _STAGES:
            for number in range(count):
                blocks.append(_Block(inputs, channels, stride=2 if number == 0 else 1))
                inputs = channels
        self.body = nn.Sequential(*blocks)

    def forward(self, faces: Tensor) -> Tensor:
        """Embeddings (B, 512) of faces (B, 3, 112, 112), BGR in [0, 1]."""
        check_shape("ArcFace's faces", faces, f"B 3 {FACE_SIZE} {FACE_SIZE}")
        return F.normalize(self.output_layer(self.body(self.input_layer(2 * faces - 1))), dim=1)


class _Block(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer = (
            nn.MaxPool2d(1, stride)
            if inputs == channels
            else nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, channels, 3, 1, 1, bias=False),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            _Excitation(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class _Excitation(nn.Module):
    """Scales each channel by what the whole picture holds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // _REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // _REDUCTION, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
