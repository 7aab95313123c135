"""FID: how far the pictures of all clips lie from those of the real videos, as a whole.

Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017. Of each set
only count, mean and scatter are kept, whatever its length. The distance is our own: torchmetrics would need a package
that fetches weights, and the root of a product of covariances by ``scipy.linalg.sqrtm`` turns complex where they are
singular, as they are below 2049 frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .networks.inception import FEATURES, FeatureInception
from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

_BATCH = 16


class FeatureStatistics:
    """Count, mean and scatter of features that come in batches, float64, on the CPU."""

    def __init__(self, features: int = FEATURES) -> None:
        self.count = 0
        self.mean = torch.zeros(features, dtype=torch.float64)
        self._scatter = torch.zeros(features, features, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Count features (B, D) in, B at least 1.

        Source: Chan et al., "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
        """
        rows = features.cpu().double()  # in this order: not every device has float64
        mean, total = rows.mean(0), self.count + len(rows)
        centred, step = rows - mean, mean - self.mean
        self._scatter += centred.T @ centred + torch.outer(step, step) * (self.count * len(rows) / total)
        self.mean = self.mean + step * (len(rows) / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """(D, D), unbiased; needs a count of 2."""
        return self._scatter / (self.count - 1)


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Squared Fréchet distance of two normal distributions: |m - n|² + tr(A + B - 2 (A B)^½).

    The last trace is the sum of the singular values of A^½ B^½, which exist for singular covariances too. Rounding can
    take equal sets a little below 0.
    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982.
    """
    a, b = one.covariance, other.covariance
    overlap = torch.linalg.svdvals(_root(a) @ _root(b)).sum()
    return float((one.mean - other.mean).square().sum() + a.trace() + b.trace() - 2 * overlap)


class FrechetInceptionDistance:
    """FID of the frames of all clips to the frames of their real videos."""

    figures: Sequence[Figure] = (
        Figure("fid", "FID", "lower"),
        Figure("fid_frames", "frames behind FID, which falls as they grow", decimals=0),
    )

    def __init__(self, network: FeatureInception) -> None:
        self._network = network
        self._made, self._real = FeatureStatistics(), FeatureStatistics()

    def add(self, clip: VideoClip) -> None:
        if clip.ground_truth is None:
            raise NotMeasuredError("a ground truth video")
        for frames, statistics in ((clip.frames, self._made), (clip.ground_truth.frames, self._real)):
            for batch in frames.split(_BATCH) if len(frames) else ():
                statistics.add(self._features(batch))

    def result(self) -> Mapping[str, float]:
        fewest = min(self._made.count, self._real.count)
        if fewest < 2:
            raise NotMeasuredError("two frames, and two of real videos")
        return {"fid": frechet_distance(self._made, self._real), "fid_frames": fewest}

    def _features(self, frames: Tensor) -> Tensor:
        device = next(self._network.parameters()).device
        with torch.inference_mode():
            return self._network.features(frames.to(device).float() / 255)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
