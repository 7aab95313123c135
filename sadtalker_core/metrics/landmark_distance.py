"""LMD: how far the face's points lie from those of the real video, frame by frame, once the head is held still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..face.points68 import INDICES, INNER_MOUTH, OUTER_MOUTH
from ..face.regions import OUTER_EYE_CORNERS, STABLE
from ..geometry import similarity_between
from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip


def landmark_distances(points: Tensor, ground_truth: Tensor) -> Tensor:
    """Distances (T, 478) of landmarks (T, 478, 3) to those of the ground truth (T, 478, 3), any unit.

    In percent of the ground truth's distance between the outer eye corners, in the picture's plane. Each face is first
    laid over the ground truth's by the points that expressions move least: where a head turns is free.
    """
    stable = list(STABLE)
    laid_over = similarity_between(points[:, stable], ground_truth[:, stable]).apply(points)
    left, right = (ground_truth[:, corner] for corner in OUTER_EYE_CORNERS)
    unit = (left - right).norm(dim=1)[:, None]
    return 100 * (laid_over - ground_truth)[..., :2].norm(dim=2) / unit


class LandmarkDistance:
    """LMD over the 68 points of the iBUG annotation, and over its 20 points of the mouth."""

    figures: Sequence[Figure] = (
        Figure("lmd", "LMD (% of the eyes' distance)", "lower", 2),
        Figure("mouth_lmd", "mouth LMD (% of the eyes' distance)", "lower", 2),
    )

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if clip.ground_truth is None:
            raise NotMeasuredError("a ground truth video")
        count = min(len(clip), len(clip.ground_truth))
        seen = (clip.seen[:count] & clip.ground_truth.seen[:count]).nonzero()[:, 0]
        if not len(seen):
            raise NotMeasuredError("frames in which both videos show a face")
        distances = landmark_distances(clip.points[seen], clip.ground_truth.points[seen])
        mouth = list(OUTER_MOUTH + INNER_MOUTH)
        return {"lmd": float(distances[:, list(INDICES)].mean()), "mouth_lmd": float(distances[:, mouth].mean())}
