"""All metrics of finished videos, in the order of the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence

from .video_metrics import Figure, MetricFactory

METRICS: dict[str, tuple[Sequence[Figure], MetricFactory]] = {}
"""By name: the figures, and how the metric is made. A metric that needs weights checks them when it is made."""


def all_figures() -> list[Figure]:
    """The figures of every metric, in order."""
    return [figure for figures, _ in METRICS.values() for figure in figures]
