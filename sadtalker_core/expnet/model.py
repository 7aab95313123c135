"""ExpNet: one mel window, the own expression, a blink ratio -> 64 expression coefficients (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..audio.encoder import AUDIO_FEATURES, audio_encoder
from ..flow import EXPRESSION_SIZE


class ExpNet(nn.Module):
    """Works frame by frame; the names of its tensors are those of the official files below ``audio2exp.``."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder = audio_encoder()
        self.mapping1 = nn.Linear(AUDIO_FEATURES + EXPRESSION_SIZE + 1, EXPRESSION_SIZE)

    def forward(self, mel: Tensor, own: Tensor, ratio: Tensor) -> Tensor:
        """Expression (B, 64) from mel (B, 1, 80, 16), own expression (B, 64) and blink ratio (B, 1) in [0, 1]."""
        return self.express(self.hear(mel), own, ratio)

    def hear(self, mel: Tensor) -> Tensor:
        """Audio features (B, 512) of mel (B, 1, 80, 16)."""
        return self.audio_encoder(mel).flatten(1)

    def express(self, audio: Tensor, own: Tensor, ratio: Tensor) -> Tensor:
        """Expression (B, 64) from audio features (B, 512), own expression (B, 64) and blink ratio (B, 1)."""
        return self.mapping1(torch.cat((audio, own, ratio), 1))
