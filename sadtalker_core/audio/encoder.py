"""The convolutional audio encoder that ExpNet and PoseVAE share in shape (each has its own weights)."""

from __future__ import annotations

from torch import Tensor, nn

AUDIO_FEATURES = 512


class AudioBlock(nn.Module):
    """Convolution, batch norm, optional residual, ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int | tuple[int, int],
        padding: int,
        *,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_block(x)
        return (x + y if self.residual else y).relu()


def audio_encoder() -> nn.Sequential:
    """Thirteen blocks that turn mel windows (B, 1, 80, 16) into features (B, 512, 1, 1)."""
    return nn.Sequential(
        AudioBlock(1, 32, 3, 1, 1),
        AudioBlock(32, 32, 3, 1, 1, residual=True),
        AudioBlock(32, 32, 3, 1, 1, residual=True),
        AudioBlock(32, 64, 3, (3, 1), 1),  # 27 x 16
        AudioBlock(64, 64, 3, 1, 1, residual=True),
        AudioBlock(64, 64, 3, 1, 1, residual=True),
        AudioBlock(64, 128, 3, 3, 1),  # 9 x 6
        AudioBlock(128, 128, 3, 1, 1, residual=True),
        AudioBlock(128, 128, 3, 1, 1, residual=True),
        AudioBlock(128, 256, 3, (3, 2), 1),  # 3 x 3
        AudioBlock(256, 256, 3, 1, 1, residual=True),
        AudioBlock(256, AUDIO_FEATURES, 3, 1, 0),  # 1 x 1
        AudioBlock(AUDIO_FEATURES, AUDIO_FEATURES, 1, 1, 0),
    )
