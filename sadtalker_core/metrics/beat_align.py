"""Beat Align: does the head turn round when the voice sets in? The paper's measure, as in Bailando.

Siyao et al., "Bailando: 3D dance generation by actor-critic GPT with choreographic memory", 2022, for dancers at 60
frames a second; its constants are kept in seconds. Motion beats are the moments at which a smoothed speed is least.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from ..flow import MODEL_FPS, SAMPLE_RATE
from .requirements import required_module

TOLERANCE_SECONDS = 3 / 60
"""Standard deviation of the bell that scores the distance of two beats."""
SMOOTHING_SECONDS = 5 / 60
"""Standard deviation of the bell that smooths the speed."""
ONSET_HOP = 256
"""Samples between two looks for an onset: about 60 a second."""
WINDOW = 2048
"""Samples that librosa looks at each time."""
LEAST_RISE = 1.0
"""Decibels from one look to the next, mean of the bands: about the least difference in level that people hear."""


def motion_beats(angles: Tensor, fps: float = MODEL_FPS) -> Tensor:
    """Seconds (K,) at which a head with pitch, yaw and roll (T, 3) over time stops or turns round."""
    speed = angles.double().diff(dim=0).norm(dim=1)
    smooth = torch.from_numpy(gaussian_filter1d(speed.cpu().numpy(), SMOOTHING_SECONDS * fps))
    inner = smooth[1:-1]
    least = (inner < smooth[:-2]) & (inner < smooth[2:])
    # Speed i lies between frames i and i + 1, whose pictures are taken in the middle of their time.
    return (least.nonzero()[:, 0] + 2).double() / fps


def speech_onsets(samples: Tensor) -> Tensor:
    """Seconds (K,) at which something sets in, in speech (S,) at 16 kHz, as librosa's onset strength tells.

    A peak counts where the bands of hearing become louder by ``LEAST_RISE`` in the mean. What is there from the first
    sample does not set in. librosa hears silence before it, so the sound is preceded by its own mirror image, and in
    half a window from the start nothing is reported.

    Raises:
        NotMeasuredError: librosa is not installed.
    """
    onset = required_module("librosa", "librosa").onset
    before = min(WINDOW, max(len(samples) - 1, 0))
    sound = np.pad(samples.cpu().numpy(), (before, 0), mode="reflect") if before else samples.cpu().numpy()
    if len(sound) < WINDOW:
        return torch.zeros(0, dtype=torch.float64)
    strength = onset.onset_strength(y=sound, sr=SAMPLE_RATE, hop_length=ONSET_HOP, n_fft=WINDOW)
    peaks = onset.onset_detect(onset_envelope=strength, sr=SAMPLE_RATE, hop_length=ONSET_HOP, units="frames")
    places = peaks[strength[peaks] >= LEAST_RISE] * ONSET_HOP - before
    return torch.from_numpy(places[places > WINDOW // 2]).double() / SAMPLE_RATE


def beat_align(onsets: Tensor, beats: Tensor) -> float:
    """Mean over the onsets (N,) of a bell of the distance to the nearest motion beat (K,), all in seconds.

    1 where each onset has its beat, 0 where none has; NaN without onsets.
    """
    if onsets.numel() == 0:
        return float("nan")
    if beats.numel() == 0:
        return 0.0
    nearest = (onsets[:, None] - beats[None]).abs().amin(1)
    return float(torch.exp(-nearest.square() / (2 * TOLERANCE_SECONDS**2)).mean())
