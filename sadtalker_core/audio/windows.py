"""WAVEFORM -> MEL WINDOWS: one 80 x 16 cut of the log-mel for each video frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import SadTalkerError
from ..flow import MODEL_FPS, SAMPLE_RATE, MelWindows, Waveform
from .mel import COLUMNS_PER_SECOND, log_mel

COLUMNS = 16
"""Columns in one window: 0.2 seconds."""


def frame_count(samples: int, fps: float) -> int:
    """Whole video frames in ``samples`` at 16 kHz, at least one.

    Raises:
        SadTalkerError: the frame rate is not above 0.
    """
    if not fps > 0:
        raise SadTalkerError(f"The frame rate must lie above 0 frames a second, got {fps}.")
    return max(1, int(samples * fps / SAMPLE_RATE))


def mel_windows(waveform: Waveform, fps: float = MODEL_FPS) -> MelWindows:
    """Cut the log-mel of ``waveform`` into one window for each video frame.

    Window i is centred on the middle of frame i, whatever the frame rate. Beyond both ends of the speech the outermost
    column repeats. Samples after the last whole frame are dropped; speech shorter than one frame continues in silence.

    Raises:
        SadTalkerError: the frame rate is not above 0, or above 240.
    """
    frames = frame_count(waveform.samples.shape[0], fps)
    used = int(frames * SAMPLE_RATE / fps)
    samples = waveform.samples[:used]
    columns = log_mel(F.pad(samples, (0, used - samples.shape[0])))  # (C, 80)
    return MelWindows(cut_windows(columns, frames, fps), fps)


def cut_windows(columns: Tensor, frames: int, fps: float = MODEL_FPS) -> Tensor:
    """Windows (T, 1, 80, 16) of the first ``frames`` frames from log-mel columns (C, 80); see ``mel_windows``."""
    first = window_starts(frames, fps).to(columns.device)
    wanted = first[:, None] + torch.arange(COLUMNS, device=columns.device)
    windows = columns[wanted.clamp(0, columns.shape[0] - 1)]  # (T, 16, 80)
    return windows.transpose(1, 2)[:, None].contiguous()


def window_starts(frames: int, fps: float) -> Tensor:
    """First column (T,) int64 of each frame's window; negative where it begins before the speech."""
    middle = COLUMNS_PER_SECOND * (torch.arange(frames, dtype=torch.float64) + 0.5) / fps
    # Cut towards zero, not down: the networks learned with windows that start at -6, -3, 0, 3.
    return (middle - COLUMNS / 2).trunc().long()
