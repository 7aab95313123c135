"""WAVEFORM -> mel-frequency cepstral coefficients, a hundred columns a second, as SyncNet was trained with.

Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980, with the
settings of the package ``python_speech_features``, version 0.6: no window, triangles whose corners lie on whole bins of
the spectrum, liftered, and the logarithm of the column's energy in place of the first coefficient.
"""

from __future__ import annotations

from functools import cache
from math import ceil, pi, sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_shape
from ..flow import SAMPLE_RATE

HOP = 160
"""Samples from one column to the next: 10 ms."""
COEFFICIENTS = 13
_LENGTH = 400
_FFT_SIZE = 512
_BANDS = 26
_PREEMPHASIS = 0.97
_LIFTER = 22
_FULL_SCALE = 32768
"""What 16-bit samples make of 1; the coefficients depend on it."""


def mfcc(samples: Tensor) -> Tensor:
    """Coefficients (13, 1 + ceil((S - 400) / 160)) float64 of speech (S,) at 16 kHz in [-1, 1], rounded to 16 bits.

    Column c begins with sample 160 c; zeros fill up the last one. Speech shorter than one column gets one.
    """
    check_shape("mfcc's samples", samples, "S")
    stored = (samples.double() * _FULL_SCALE).round().clamp(-_FULL_SCALE, _FULL_SCALE - 1)
    emphasised = torch.cat((stored[:1], stored[1:] - _PREEMPHASIS * stored[:-1]))
    columns = 1 + max(0, ceil((len(stored) - _LENGTH) / HOP))
    padded = F.pad(emphasised, (0, _LENGTH + (columns - 1) * HOP - len(stored)))
    power = torch.fft.rfft(padded.unfold(0, _LENGTH, HOP), _FFT_SIZE).abs().square() / _FFT_SIZE
    energy = _log(power.sum(1))
    bands = _log(power @ _filters().to(samples.device).T)
    found = bands @ _cosines().to(samples.device).T
    found[:, 0] = energy
    return found.T


def _log(power: Tensor) -> Tensor:
    """Logarithm in which digital silence counts as the least step of float64 at 1."""
    return torch.where(power == 0, torch.finfo(torch.float64).eps, power).log()


@cache
def _filters() -> Tensor:
    """Triangles (26, 257), evenly spaced on the mel scale from 0 Hz to 8 kHz."""
    highest = 2595 * torch.tensor(1 + SAMPLE_RATE / 2 / 700, dtype=torch.float64).log10()
    mels = torch.linspace(0, 1, _BANDS + 2, dtype=torch.float64) * highest
    hertz = 700 * (10 ** (mels / 2595) - 1)
    low, middle, high = ((_FFT_SIZE + 1) * hertz / SAMPLE_RATE).floor().unfold(0, 3, 1)[..., None].unbind(1)
    bins = torch.arange(_FFT_SIZE // 2 + 1, dtype=torch.float64)
    return torch.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clamp_min(0)


@cache
def _cosines() -> Tensor:
    """Orthonormal cosine transform, second kind, liftered: (13, 26)."""
    order = torch.arange(COEFFICIENTS, dtype=torch.float64)[:, None]
    band = torch.arange(_BANDS, dtype=torch.float64)
    transform = sqrt(2 / _BANDS) * torch.cos(pi * order * (2 * band + 1) / (2 * _BANDS))
    transform[0] /= sqrt(2)
    return transform * (1 + _LIFTER / 2 * torch.sin(pi * order / _LIFTER))
