"""All metrics of finished videos, in the order of the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence

from .blinks import Blinks
from .csim import IdentitySimilarity
from .fid import FrechetInceptionDistance
from .head_motion import BEAT_ALIGN, DIVERSITY, BeatAlign, Diversity
from .landmark_distance import LandmarkDistance
from .lpips import PerceptualSimilarity, load_perceptual_distance
from .networks.arcface import ArcFace
from .networks.inception import FeatureInception
from .networks.syncnet import SyncNet
from .reconstruction import Reconstruction
from .sharpness import Sharpness
from .speech_lag import SpeechLag
from .sync import LipSync
from .video_metrics import Figure, MetricFactory
from .weight_files import ARCFACE, INCEPTION, SYNCNET, load_network

METRICS: dict[str, tuple[Sequence[Figure], MetricFactory]] = {
    "sync": (LipSync.figures, lambda surroundings: LipSync(load_network(SYNCNET, SyncNet, surroundings))),
    "diversity": (DIVERSITY, lambda surroundings: Diversity()),
    "beat_align": (BEAT_ALIGN, lambda surroundings: BeatAlign()),
    "fid": (
        FrechetInceptionDistance.figures,
        lambda surroundings: FrechetInceptionDistance(load_network(INCEPTION, FeatureInception, surroundings)),
    ),
    "cpbd": (Sharpness.figures, lambda surroundings: Sharpness()),
    "csim": (
        IdentitySimilarity.figures,
        lambda surroundings: IdentitySimilarity(load_network(ARCFACE, ArcFace, surroundings)),
    ),
    "speech_lag": (SpeechLag.figures, lambda surroundings: SpeechLag()),
    "blinks": (Blinks.figures, lambda surroundings: Blinks()),
    "lmd": (LandmarkDistance.figures, lambda surroundings: LandmarkDistance()),
    "reconstruction": (Reconstruction.figures, lambda surroundings: Reconstruction()),
    "lpips": (
        PerceptualSimilarity.figures,
        lambda surroundings: PerceptualSimilarity(load_perceptual_distance(surroundings)),
    ),
}
"""By name: the figures, and how the metric is made. A metric that needs weights checks them when it is made."""


def all_figures() -> list[Figure]:
    """The figures of every metric, in order."""
    return [figure for figures, _ in METRICS.values() for figure in figures]
