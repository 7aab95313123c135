"""Smooth a head-pose track."""

from __future__ import annotations

import torch
from scipy.signal import savgol_filter
from torch import Tensor

WINDOW = 13
"""Frames that the original's Savitzky-Golay filter sees at once."""
ORDER = 2
"""Degree of the polynomials it fits."""


def smooth_pose(pose: Tensor, window: int = WINDOW) -> Tensor:
    """Savitzky-Golay filter over time of a track (T, C); tracks of up to four frames come back as they are.

    Args:
        window: odd number of frames that the filter sees at once.
    """
    frames = pose.shape[0]
    window = min(window, (frames - 1) // 2 * 2 + 1)
    if window <= ORDER + 1:  # so few points lie on their polynomial already
        return pose
    return torch.from_numpy(savgol_filter(pose.cpu().numpy(), window, ORDER, axis=0)).to(pose)
