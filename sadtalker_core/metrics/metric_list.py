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
    "sync": (LipSync.figures, lambda resources: LipSync(load_network(SYNCNET, SyncNet, resources))),
    "diversity": (DIVERSITY, lambda resources: Diversity()),
    "beat_align": (BEAT_ALIGN, lambda resources: BeatAlign()),
    "fid": (
        FrechetInceptionDistance.figures,
        lambda resources: FrechetInceptionDistance(load_network(INCEPTION, FeatureInception, resources)),
    ),
    "cpbd": (Sharpness.figures, lambda resources: Sharpness()),
    "csim": (
        IdentitySimilarity.figures,
        lambda resources: IdentitySimilarity(load_network(ARCFACE, ArcFace, resources)),
    ),
    "speech_lag": (SpeechLag.figures, lambda resources: SpeechLag()),
    "blinks": (Blinks.figures, lambda resources: Blinks()),
    "lmd": (LandmarkDistance.figures, lambda resources: LandmarkDistance()),
    "reconstruction": (Reconstruction.figures, lambda resources: Reconstruction()),
    "lpips": (
        PerceptualSimilarity.figures,
        lambda resources: PerceptualSimilarity(load_perceptual_distance(resources)),
    ),
}
"""By name: the figures, and how the metric is made. A metric that needs weights checks them when it is made."""


def all_figures() -> list[Figure]:
    """The figures of every metric, in order."""
    return [figure for figures, _ in METRICS.values() for figure in figures]
