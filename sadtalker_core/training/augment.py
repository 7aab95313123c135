"""Random changes of mel windows that a listener would call the same words in another voice or room."""

from __future__ import annotations

import torch
from torch import Tensor

HIDDEN_SHARE = 0.6
"""Fraction of the windows that lose a stretch of bands, so that no formant alone decides what is heard."""
MOST_HIDDEN = 15
"""The most bands that are hidden, of 80."""
DECIBEL = 0.08
"""One decibel in the mel's unit: 100 dB are spread over [-4, 4]."""


def augment_mel(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Level, tilt, vocal-tract length, background noise and lost bands of windows (B, 1, 80, 16), each row its own."""
    mel = warp_bands(mel, 1 + 0.08 * _signed(mel, generator))
    level = 12 * _signed(mel, generator)  # dB
    tilt = 6 * _signed(mel, generator)  # dB over the whole band range
    bands = torch.linspace(-0.5, 0.5, mel.shape[2]).reshape(1, 1, -1, 1)
    louder = mel + DECIBEL * (level + tilt * bands)
    # Scaling changes silence too, but never below the floor of the scale.
    louder = torch.where(mel <= -4, mel, louder)
    return hide_bands(add_noise(louder, background_noise(mel, generator)).clamp(-4, 4), generator)


def hide_bands(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Silence a stretch of up to ``MOST_HIDDEN`` neighbouring bands in ``HIDDEN_SHARE`` of the windows (B, 1, 80, 16).

    Frequency masking of Park et al., "SpecAugment", 2019.
    """
    shape, bands = (mel.shape[0], 1, 1, 1), mel.shape[2]
    width = (torch.rand(shape, generator=generator) * (MOST_HIDDEN + 1)).floor()
    width = width * (torch.rand(shape, generator=generator) < HIDDEN_SHARE)
    lowest = (torch.rand(shape, generator=generator) * (bands - width + 1)).floor()
    band = torch.arange(bands).reshape(1, 1, -1, 1)
    return mel.masked_fill((band >= lowest) & (band < lowest + width), -4)


def background_noise(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mel of steady noise of random level and colour, shaped like ``mel`` (B, 1, 80, 16)."""
    batch, _, bands, columns = mel.shape
    level = 50 * torch.rand(batch, 1, 1, 1, generator=generator) ** 2  # dB above the floor
    tilt = 15 * _signed(mel, generator)
    ramp = torch.linspace(-0.5, 0.5, bands).reshape(1, 1, -1, 1)
    # A noise's power in one column is exponentially distributed; neighbouring columns share most of their samples.
    power = -torch.log(torch.rand(batch, 1, bands, columns + 3, generator=generator).clamp_min(1e-6))
    power = power.unfold(3, 4, 1).mean(-1)
    return -4 + DECIBEL * (level + tilt * ramp + 10 * power.log10())


def warp_bands(mel: Tensor, factor: Tensor) -> Tensor:
    """Stretch the band axis of (B, 1, 80, 16) by ``factor`` (B, 1, 1, 1): formants as of a longer or shorter throat."""
    bands = mel.shape[2]
    position = (torch.arange(bands, dtype=mel.dtype).reshape(1, 1, -1, 1) * factor).clamp(0, bands - 1)
    below = position.floor().long().clamp(max=bands - 2)
    share = position - below
    below = below.expand(-1, -1, -1, mel.shape[3])
    return torch.lerp(mel.gather(2, below), mel.gather(2, below + 1), share)


def add_noise(mel: Tensor, noise: Tensor) -> Tensor:
    """Sum of two sounds given as log-mel: amplitudes of independent sounds add as powers."""
    to_log = torch.log(torch.tensor(10.0)) / 10 / DECIBEL  # power = exp(to_log * mel)
    return torch.logaddexp(mel * to_log, noise * to_log) / to_log


def _signed(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in [-1, 1], one number a row, (B, 1, 1, 1)."""
    return 2 * torch.rand(mel.shape[0], 1, 1, 1, generator=generator) - 1
