"""WAVEFORM -> log-mel: 80 bands, 80 columns a second, scaled to [-4, 4]."""

from __future__ import annotations

from functools import cache
from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from ..flow import SAMPLE_RATE

HOP = 200
"""Samples from one column to the next."""
FFT_SIZE = 800
"""Samples in the Hann window of one column."""
COLUMNS_PER_SECOND, _REST = divmod(SAMPLE_RATE, HOP)
assert _REST == 0

BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 55.0, 7600.0
PREEMPHASIS = 0.97
REFERENCE_DB = 20.0
"""Level that counts as 0 dB."""
DYNAMIC_RANGE_DB = 100.0
LIMIT = 4.0
"""The scaled decibels reach from -LIMIT (digital silence) to LIMIT."""

_LINEAR_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = log(6.4) / 27
_CHUNK = 4096


def log_mel(samples: Tensor) -> Tensor:
    """Scaled log-mel spectrogram (1 + S // 200, 80) in [-4, 4] of samples (S,) at 16 kHz.

    Column c is centred on sample 200 c; zeros continue the samples on both sides. Computed in float64, returned in
    float32.
    """
    emphasised = samples.double()
    emphasised = emphasised - PREEMPHASIS * F.pad(emphasised, (1, 0))[:-1]
    columns = F.pad(emphasised, (FFT_SIZE // 2, FFT_SIZE // 2)).unfold(0, FFT_SIZE, HOP)  # (C, 800), a view
    window = torch.hann_window(FFT_SIZE, dtype=torch.float64, device=samples.device)
    filters = mel_filters().to(samples.device)
    # In chunks, because the spectra of long audio would fill the memory.
    mel = torch.cat([torch.fft.rfft(chunk * window).abs() @ filters for chunk in columns.split(_CHUNK)])
    decibels = 20 * mel.clamp(min=1e-5).log10() - REFERENCE_DB
    scaled = 2 * LIMIT * (decibels + DYNAMIC_RANGE_DB) / DYNAMIC_RANGE_DB - LIMIT
    return scaled.clamp(-LIMIT, LIMIT).float()


@cache
def mel_filters() -> Tensor:
    """Triangles of unit area in Hz, evenly spaced on Slaney's mel scale: (401, 80) float64, the same as librosa's."""
    mels = torch.linspace(_mel_from_hz(LOWEST_HZ), _mel_from_hz(HIGHEST_HZ), BANDS + 2, dtype=torch.float64)
    corners = _hz_from_mel(mels)
    frequency = torch.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1, dtype=torch.float64)[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequency - low) / (middle - low)
    falling = (high - frequency) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0) * (2 / (high - low))


def _mel_from_hz(hz: float) -> float:
    return hz / _LINEAR_HZ_PER_MEL if hz < _BREAK_HZ else _BREAK_MEL + log(hz / _BREAK_HZ) / _LOG_STEP


def _hz_from_mel(mel: Tensor) -> Tensor:
    return torch.where(mel < _BREAK_MEL, mel * _LINEAR_HZ_PER_MEL, _BREAK_HZ * ((mel - _BREAK_MEL) * _LOG_STEP).exp())
