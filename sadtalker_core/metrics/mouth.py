"""How well the mouth of a track follows that of another: what is measured, and the numbers drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..face.morphable import MorphableModel, to_picture_frame
from ..face.regions import LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from ..flow import EXPRESSION_SIZE, IDENTITY_SIZE

MAX_LAG = 5
"""Frames, either way, by which tracks are shifted against each other: 0.2 s."""


@dataclass(frozen=True, slots=True)
class MouthTrack:
    """The mouth in each frame, in the head's own axes; unit: the mean face's distance between the outer eye corners."""

    opening: Tensor
    """(T,) height of the middle of the upper lip's lower edge over the lower lip's upper edge; NaN without a face"""
    width: Tensor
    """(T,) distance of the mouth's corners"""
    lower_lip: Tensor
    """(T,) height of the lower lip's upper edge, counted upwards"""


def measure_mouth(model: MorphableModel, points: Tensor, width: int, height: int) -> MouthTrack:
    """The mouth of landmarks (T, 478, 3), pixels of a width x height picture, whatever the head's place and pose.

    The landmarks themselves are measured, turned upright by the points that expressions move least: no fit of the
    3DMM stands between them and the numbers.
    """
    valid = ~points.isnan().any(-1).any(-1)
    seen = to_picture_frame(points[valid], width, height)
    none = seen.new_zeros(seen.shape[0], IDENTITY_SIZE), seen.new_zeros(seen.shape[0], EXPRESSION_SIZE)
    upright = model.align(seen, *none).invert(seen)
    left, right = MOUTH_CORNERS
    upper, lower = upright[:, UPPER_LIP, 1], upright[:, LOWER_LIP, 1]
    measures = (upper - lower, (upright[:, left] - upright[:, right]).norm(dim=1), lower)
    opening, across, lip = (points.new_full(valid.shape, torch.nan).masked_scatter(valid, m) for m in measures)
    return MouthTrack(opening, across, lip)


def correlation(predicted: Tensor, tracked: Tensor, lag: int = 0) -> float:
    """Pearson's r of two curves (T,), with ``predicted`` read ``lag`` frames later than ``tracked``.

    A positive best lag says that the prediction comes late. Frames that are NaN in either curve do not count; a curve
    that does not move correlates with nothing (0).
    """
    frames = tracked.shape[0] - abs(lag)
    one, other = predicted[max(lag, 0) :][:frames], tracked[max(-lag, 0) :][:frames]
    known = ~(one.isnan() | other.isnan())
    one, other = one[known].double(), other[known].double()
    if one.numel() < 3 or float(one.std()) == 0 or float(other.std()) == 0:
        return 0.0
    return float(torch.corrcoef(torch.stack((one, other)))[0, 1])


def lagged_correlations(predicted: Tensor, tracked: Tensor, max_lag: int = MAX_LAG) -> dict[int, float]:
    """``correlation`` at each lag from -max_lag to max_lag."""
    return {lag: correlation(predicted, tracked, lag) for lag in range(-max_lag, max_lag + 1)}


def best_common_lag(clips: Sequence[dict[int, float]]) -> int:
    """The lag at which the mean correlation of all clips is highest; the smallest shift where several are."""
    return max(clips[0], key=lambda lag: (sum(clip[lag] for clip in clips), -abs(lag)))


def spread_ratio(predicted: Tensor, tracked: Tensor) -> float:
    """Standard deviation of ``predicted`` over that of ``tracked``, both (T,), where both are known."""
    known = ~(predicted.isnan() | tracked.isnan())
    return float(predicted[known].std() / tracked[known].std().clamp_min(1e-9))


def opening_in_range(opening: Tensor, closed: float, speaking: Tensor) -> Tensor:
    """Openings (T,) as a fraction of the speaking range: 0 like the closed mouth, 1 at the 95th percentile of speech.

    Args:
        closed: opening of the portrait's closed lips, where landmarks still lie a little apart.
        speaking: (S,) openings while the face speaks.
    """
    span = speaking.quantile(0.95) - closed
    return (opening - closed) / span.clamp_min(1e-6)
