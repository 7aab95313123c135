"""PoseVAE: a style, the portrait's own pose and speech -> 32 frames of head motion (paper, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..audio.encoder import AUDIO_FEATURES, audio_encoder
from ..flow import POSE_SIZE

SEQUENCE = 32
"""Frames that the network makes at once."""
LATENT_SIZE = 64


@dataclass(frozen=True, slots=True)
class PoseVAEConfig:
    """What differs between weight files."""

    styles: int = 46


class PoseVAE(nn.Module):
    """The part that makes motion: audio encoder and decoder. ``PoseEncoder``, its other half, serves training only."""

    def __init__(self, config: PoseVAEConfig | None = None) -> None:
        super().__init__()
        self.config = config or PoseVAEConfig()
        self.audio_encoder = audio_encoder()
        self.decoder = PoseDecoder(self.config.styles)

    def embed(self, mel: Tensor) -> Tensor:
        """Audio features (N, 512) of mel windows (N, 1, 80, 16)."""
        return self.audio_encoder(mel).flatten(1)

    def decode(self, latent: Tensor, style: Tensor, own: Tensor, audio: Tensor) -> Tensor:
        """Motion (B, 32, 6), the distance from ``own``.

        Args:
            latent: (B, 64), standard normal when sampled.
            style: (B,) int64 below ``config.styles``.
            own: (B, 6) pose.
            audio: (B, 32, 512) from ``embed``.
        """
        return self.decoder(latent, style, own, audio)


class PoseEncoder(nn.Module):
    """Motion and its conditions -> mean and log-variance (B, 64) of the latent code; arguments as of ``decode``."""

    def __init__(self, styles: int) -> None:
        super().__init__()
        self.classbias = nn.Parameter(torch.randn(styles, LATENT_SIZE))
        self.resunet = ResUnet()
        self.linear_audio = nn.Linear(AUDIO_FEATURES, POSE_SIZE)
        self.MLP = nn.Sequential()
        self.MLP.add_module("L0", nn.Linear(LATENT_SIZE + POSE_SIZE + 2 * SEQUENCE * POSE_SIZE, 128))
        self.MLP.add_module("A0", nn.ReLU())
        self.linear_means = nn.Linear(128, LATENT_SIZE)
        self.linear_logvar = nn.Linear(128, LATENT_SIZE)

    def forward(self, motion: Tensor, style: Tensor, own: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        shaped = self.resunet(motion[:, None]).flatten(1)  # (B, 192)
        heard = self.linear_audio(audio).flatten(1)  # (B, 192)
        hidden = self.MLP(torch.cat((own, shaped, heard, self.classbias[style]), 1))
        return self.linear_means(hidden), self.linear_logvar(hidden)


class PoseDecoder(nn.Module):
    """Latent code and conditions -> motion."""

    def __init__(self, styles: int) -> None:
        super().__init__()
        self.classbias = nn.Parameter(torch.randn(styles, LATENT_SIZE))
        self.linear_audio = nn.Linear(AUDIO_FEATURES, POSE_SIZE)
        self.MLP = nn.Sequential()
        self.MLP.add_module("L0", nn.Linear(LATENT_SIZE + POSE_SIZE + SEQUENCE * POSE_SIZE, 128))
        self.MLP.add_module("A0", nn.ReLU())
        self.MLP.add_module("L1", nn.Linear(128, SEQUENCE * POSE_SIZE))
        self.MLP.add_module("sigmoid", nn.Sigmoid())
        self.resunet = ResUnet()
        self.pose_linear = nn.Linear(POSE_SIZE, POSE_SIZE)

    def forward(self, latent: Tensor, style: Tensor, own: Tensor, audio: Tensor) -> Tensor:
        heard = self.linear_audio(audio).flatten(1)  # (B, 192)
        coded = self.MLP(torch.cat((own, latent + self.classbias[style], heard), 1))
        image = self.resunet(coded.reshape(-1, 1, SEQUENCE, POSE_SIZE))  # time is the image's height
        return self.pose_linear(image[:, 0])


class ResUnet(nn.Module):
    """Residual U-net over (B, 1, 32, 6) that halves the time axis only; its last layer is a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1)
        )
        self.input_skip = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1))
        self.residual_conv_1 = ResidualConv(32, 64, (2, 1))
        self.residual_conv_2 = ResidualConv(64, 128, (2, 1))
        self.bridge = ResidualConv(128, 256, (2, 1))
        self.upsample_1 = Upsample(256)
        self.up_residual_conv1 = ResidualConv(256 + 128, 128, 1)
        self.upsample_2 = Upsample(128)
        self.up_residual_conv2 = ResidualConv(128 + 64, 64, 1)
        self.upsample_3 = Upsample(64)
        self.up_residual_conv3 = ResidualConv(64 + 32, 32, 1)
        self.output_layer = nn.Sequential(nn.Conv2d(32, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.input_layer(x) + self.input_skip(x)  # (B, 32, 32, 6)
        x2 = self.residual_conv_1(x1)  # (B, 64, 16, 6)
        x3 = self.residual_conv_2(x2)  # (B, 128, 8, 6)
        x4 = self.bridge(x3)  # (B, 256, 4, 6)
        y = self.up_residual_conv1(torch.cat((self.upsample_1(x4), x3), 1))
        y = self.up_residual_conv2(torch.cat((self.upsample_2(y), x2), 1))
        y = self.up_residual_conv3(torch.cat((self.upsample_3(y), x1), 1))
        return self.output_layer(y)


class ResidualConv(nn.Module):
    """Pre-activated pair of convolutions beside a convolved skip path."""

    def __init__(self, inputs: int, outputs: int, stride: int | tuple[int, int]) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride, 1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.conv_skip = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_block(x) + self.conv_skip(x)


class Upsample(nn.Module):
    """Doubles the time axis."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, channels, (2, 1), (2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample(x)
