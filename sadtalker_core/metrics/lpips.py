"""LPIPS of the frames to those of the real video, where both show the same part of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torchvision.models.alexnet import AlexNet

from .networks.perceptual import PerceptualDistance, PerceptualHeads
from .reconstruction import frames_in_common
from .video_metrics import Figure, MetricResources, VideoClip
from .weight_files import ALEXNET, PERCEPTUAL_HEADS, load_network

_BATCH = 16


class PerceptualSimilarity:
    """Mean LPIPS (AlexNet, version 0.1) of the frames."""

    figures: Sequence[Figure] = (Figure("lpips", "LPIPS", "lower"),)

    def __init__(self, network: PerceptualDistance) -> None:
        self._network = network

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        device = next(self._network.parameters()).device
        pairs = zip(*(part.split(_BATCH) for part in frames_in_common(clip)), strict=True)
        with torch.inference_mode():
            found = [self._network(*(part.to(device).float() / 255 for part in pair)) for pair in pairs]
        return {"lpips": float(torch.cat(found).mean())}


def load_perceptual_distance(resources: MetricResources) -> PerceptualDistance:
    """AlexNet and its heads from their published files.

    Raises:
        NotMeasuredError: as ``load_network``.
    """
    heads = load_network(PERCEPTUAL_HEADS, PerceptualHeads, resources)
    return PerceptualDistance(load_network(ALEXNET, AlexNet, resources), heads).eval()
