"""LSE-D, LSE-C and the offset: how well SyncNet finds that lips and voice belong together, and when.

Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016; Prajwal et al., "A lip sync expert is all you
need for speech to lip generation in the wild", 2020, for the measures (LSE). Windows, shifts and ends as in the
software that comes with SyncNet, by which published figures are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..flow import MODEL_FPS, SAMPLE_RATE
from .mfcc import HOP, mfcc
from .networks.syncnet import COLUMNS, FRAMES, SyncNet
from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

MAX_SHIFT = 15
"""Frames by which the voice is shifted at most, either way."""
SHORTEST = FRAMES + 2 * MAX_SHIFT + 1
"""Frames of a clip; in shorter ones most shifts would meet silence beyond the ends."""
_COLUMNS_PER_FRAME = SAMPLE_RATE // MODEL_FPS // HOP
_BATCH = 16


@dataclass(frozen=True, slots=True)
class SyncScore:
    """How lips and voice fit."""

    distance: float
    """LSE-D: mean distance of their features at the best shift"""
    confidence: float
    """LSE-C: how far that lies below the median of all shifts"""
    offset: int
    """frames by which the lips come after the voice"""


def sync_features(network: SyncNet, frames: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Features (W, 1024) of the lips and of the voice in the same W = T - 5 windows, on the network's device.

    Args:
        frames: (T, 3, 224, 224) uint8 RGB at 25 frames a second, as of ``cut_sync_view``.
        samples: (S,) at 16 kHz in [-1, 1], from the first frame on; the shorter of both counts.
    """
    device = next(network.parameters()).device
    count = min(len(frames), len(samples) * MODEL_FPS // SAMPLE_RATE) - FRAMES
    windows = mfcc(samples).float().unfold(1, COLUMNS, _COLUMNS_PER_FRAME)[:, :count].transpose(0, 1)
    lips, speech = [], []
    with torch.inference_mode():
        for start in range(0, count, _BATCH):
            stop = min(start + _BATCH, count)
            pictures = frames[start : stop + FRAMES - 1].flip(1).to(device).float()  # BGR
            lips.append(network.lips(pictures))
            speech.append(network.speech(windows[start:stop].to(device)))
    return torch.cat(lips), torch.cat(speech)


def sync_score(lips: Tensor, speech: Tensor) -> SyncScore:
    """The score of features (W, D) of the lips and of the voice, window by window.

    Beyond both ends the voice's features count as zeros.
    """
    padded = F.pad(speech, (0, 0, MAX_SHIFT, MAX_SHIFT))
    shifted = padded.unfold(0, len(lips), 1).transpose(1, 2)  # (31, W, D), a view
    distances = torch.stack([F.pairwise_distance(lips, voice).mean() for voice in shifted])
    least = int(distances.argmin())
    distance = float(distances[least])
    return SyncScore(distance, float(distances.median()) - distance, MAX_SHIFT - least)


class LipSync:
    """SyncNet's score of a clip."""

    figures: Sequence[Figure] = (
        Figure("lse_d", "LSE-D", "lower"),
        Figure("lse_c", "LSE-C", "higher"),
        Figure("sync_offset", "lips after voice, SyncNet (frames)", decimals=1),
    )

    def __init__(self, network: SyncNet) -> None:
        self._network = network

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if clip.waveform is None:
            raise NotMeasuredError("sound")
        if clip.sync_frames is None:
            raise NotMeasuredError("the resources of the face, which this clip is without")
        if len(clip) < SHORTEST:
            raise NotMeasuredError(f"{SHORTEST} frames")
        score = sync_score(*sync_features(self._network, clip.sync_frames, clip.waveform.samples))
        return {"lse_d": score.distance, "lse_c": score.confidence, "sync_offset": score.offset}
