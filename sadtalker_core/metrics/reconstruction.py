"""PSNR and SSIM: how close the pixels come to the real video's, where both show the same part of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

BATCH = 16
"""Frames that are compared at once."""
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_SMALLEST_ERROR = 1e-10
"""Mean squared error of pictures that count as equal: 100 dB."""


def frames_in_common(clip: VideoClip) -> tuple[Tensor, Tensor]:
    """Frames (T, 3, 256, 256) of a clip and of its ground truth, as far as both go.

    Raises:
        NotMeasuredError: there is no ground truth, or it shows another part of the picture.
    """
    if clip.ground_truth is None:
        raise NotMeasuredError("a ground truth video")
    if not clip.same_view:
        raise NotMeasuredError("a ground truth video that shows the same part of the picture")
    count = min(len(clip), len(clip.ground_truth))
    if not count:
        raise NotMeasuredError("frames")
    return clip.frames[:count], clip.ground_truth.frames[:count]


def psnr(pictures: Tensor, ground_truths: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) in dB of pictures (B, 3, H, W) in [0, 1]; 100 where they are equal."""
    error = (pictures - ground_truths).square().mean((1, 2, 3)).clamp_min(_SMALLEST_ERROR)
    return -10 * error.log10()


def ssim(pictures: Tensor, ground_truths: Tensor) -> Tensor:
    """Structural similarity (B,) of pictures (B, 3, H, W) in [0, 1], H and W at least 11; mean of the three channels.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, with its
    Gaussian window of 11 pixels and standard deviation 1.5, where it lies wholly inside the picture.
    """
    moments = torch.stack((pictures, ground_truths, pictures**2, ground_truths**2, pictures * ground_truths))
    mean_a, mean_b, square_a, square_b, product = _blur(moments.flatten(0, 2)[:, None]).unflatten(0, moments.shape[:3])
    variances = square_a - mean_a**2 + square_b - mean_b**2
    covariance = product - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    return (likeness / ((mean_a**2 + mean_b**2 + _C1) * (variances + _C2))).mean((1, 2, 3, 4))


class Reconstruction:
    """Mean PSNR and SSIM of the frames."""

    figures: Sequence[Figure] = (
        Figure("psnr", "PSNR (dB)", "higher", 2),
        Figure("ssim", "SSIM", "higher"),
    )

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        pairs = [part.split(BATCH) for part in frames_in_common(clip)]
        found = {"psnr": [], "ssim": []}
        for one, other in zip(*pairs, strict=True):
            pictures, ground_truths = one.float() / 255, other.float() / 255
            found["psnr"].append(psnr(pictures, ground_truths))
            found["ssim"].append(ssim(pictures, ground_truths))
        return {key: float(torch.cat(values).mean()) for key, values in found.items()}


def _blur(planes: Tensor) -> Tensor:
    """Planes (B, 1, H, W) under the Gaussian window, (B, 1, H - 10, W - 10)."""
    position = torch.arange(_WINDOW).to(planes) - _WINDOW // 2
    weights = torch.exp(-(position**2) / (2 * _SIGMA**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(planes, weights[None, None, None]), weights[None, None, :, None])
