"""The mouth of a puppet: it opens as wide as the voice is loud. What any network has to beat."""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import butter, sosfiltfilt
from torch import Tensor

from ..flow import MODEL_FPS, SAMPLE_RATE

BAND_HZ = (300, 3000)
WINDOW_SECONDS = 0.08
FLOOR_DECIBELS = 40.0
"""Below the loud parts of the clip, where the mouth is shut. Band, window and floor are the best of eleven choices on
clips of three corpora."""


def loudness_mouth(samples: Tensor, frames: int, fps: float = MODEL_FPS) -> Tensor:
    """Opening (frames,) from 0 (silence) to about 1 (as loud as the clip gets) for speech (S,) at 16 kHz.

    Each frame is heard through a window of 80 ms around its middle, from 300 to 3000 Hz, where vowels sound.
    """
    sound = np.pad(samples.cpu().double().numpy(), SAMPLE_RATE // 10)
    power = sosfiltfilt(butter(4, BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos"), sound) ** 2
    window = np.hanning(int(WINDOW_SECONDS * SAMPLE_RATE) | 1)
    smooth = np.convolve(power, window / window.sum(), "same")
    middle = (np.arange(frames) + 0.5) / fps * SAMPLE_RATE + SAMPLE_RATE // 10
    level = 10 * np.log10(np.maximum(smooth[np.clip(middle.astype(int), 0, len(smooth) - 1)], 1e-12))
    loud = np.quantile(level, 0.98)
    return torch.from_numpy(np.maximum(level - loud, -FLOOR_DECIBELS) / FLOOR_DECIBELS + 1).float()
