"""Smooth a head-pose track, and lay a reference's motion over it."""

from __future__ import annotations

import torch
from scipy.signal import savgol_filter
from torch import Tensor

WINDOW = 13
"""Frames that the reference's Savitzky-Golay filter sees at once."""
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


def add_reference_motion(pose: Tensor, reference: Tensor) -> Tensor:
    """Add the motion of another track, counted from its first frame, to ``pose`` (T, C).

    Args:
        reference: (L, C); repeated from its start where L < T.
    """
    motion = repeat_track(reference, pose.shape[0])
    return pose + (motion - motion[:1])


def repeat_track(track: Tensor, frames: int) -> Tensor:
    """The first ``frames`` rows of a track (L, C) that starts again after its end."""
    return track[torch.arange(frames, device=track.device) % track.shape[0]]
