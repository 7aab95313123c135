"""SyncNet: do these lips say what is heard? Layout of ``syncnet_v2.model``.

Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016.
"""

from __future__ import annotations

from torch import Tensor, nn

from ...checks import check_shape

FRAMES = 5
"""Pictures in a window of the video tower."""
FRAME_SIZE = 224
COLUMNS = 20
"""Columns of cepstral coefficients in a window of the audio tower."""
COEFFICIENTS = 13
FEATURES = 1024


class SyncNet(nn.Module):
    """A tower for pictures and one for sound; features of the same moment lie close together."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_flat(1, 64, 3, padding=1),
            nn.MaxPool2d(1),
            *_flat(64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_flat(192, 384, 3, padding=1),
            *_flat(384, 256, 3, padding=1),
            *_flat(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            *_flat(256, 512, (5, 4)),  # 1 x 1
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_deep(3, 96, (FRAMES, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_deep(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_deep(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_deep(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_deep(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_deep(256, 512, (1, 6, 6)),  # 1 x 1
        )

    def lips(self, frames: Tensor) -> Tensor:
        """Features (T - 4, 1024) of each window of five frames (T, 3, 224, 224), BGR in [0, 255]."""
        check_shape("SyncNet's frames", frames, f"T 3 {FRAME_SIZE} {FRAME_SIZE}")
        # Only the first layer spans time, so that the film passes through once and every window comes out.
        towers = self.netcnnlip(frames.transpose(0, 1)[None])  # (1, 512, T - 4, 1, 1)
        return self.netfclip(towers[0, :, :, 0, 0].T)

    def speech(self, windows: Tensor) -> Tensor:
        """Features (B, 1024) of windows of cepstral coefficients (B, 13, 20)."""
        check_shape("SyncNet's windows of sound", windows, f"B {COEFFICIENTS} {COLUMNS}")
        return self.netfcaud(self.netcnnaud(windows[:, None]).flatten(1))


def _flat(inputs: int, outputs: int, kernel: int | tuple[int, int], padding: int = 0) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()


def _deep(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] = (0, 0, 0),
) -> tuple[nn.Module, ...]:
    return nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, FEATURES))
