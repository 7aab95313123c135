"""Tells real head motion from generated; used in training only."""

from __future__ import annotations

from torch import Tensor, nn

from ..flow import POSE_SIZE


class PoseDiscriminator(nn.Module):
    """One score for each stretch of about 23 frames (a PatchGAN along time; paper, section B.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            NormedConv(POSE_SIZE, 256, 4, 2),
            NormedConv(256, 512, 4, 2),
            NormedConv(512, 1024, 3, 1),
            nn.Conv1d(1024, 1, 3, padding=1),
        )

    def forward(self, motion: Tensor) -> Tensor:
        """Scores (B, T // 4), higher for real, of motion (B, T, 6)."""
        return self.seq(motion.transpose(1, 2))[:, 0]


class NormedConv(nn.Module):
    """Convolution along time, batch norm, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))
