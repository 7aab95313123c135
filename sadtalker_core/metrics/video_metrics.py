"""What a finished video is measured by: the clip as every metric sees it, and the two kinds of metrics.

A metric that cannot be taken here raises ``NotMeasuredError``, whose text says what is missing; the other figures are
not touched by it. Nothing is measured in another way instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..checks import check_shape
from ..flow import Waveform
from .requirements import NotMeasuredError

CLIP_SIZE = 256
"""Side of the face crop in pixels (paper, section 4.1)."""
CLIP_SECONDS = 8.0
"""How much of each video is measured (paper, section 4.1)."""


@dataclass(frozen=True, slots=True)
class VideoClip:
    """The start of a video, cropped to its face, at 25 frames a second."""

    name: str
    frames: Tensor
    """(T, 3, 256, 256) uint8 RGB, on the CPU: one crop for all frames; divide by 255 batch by batch"""
    points: Tensor
    """(T, 478, 3) landmarks, pixels of the crop; NaN where no face was found"""
    waveform: Waveform | None = None
    """exactly the sound of the T frames; None for a silent video"""
    source: Tensor | None = None
    """(3, 256, 256) uint8: the portrait that the video was made from, cropped to its own face"""
    ground_truth: VideoClip | None = None
    """the real video of the same input, frame for frame as far as both go; it has no ground truth of its own"""
    same_view: bool = False
    """whether the ground truth is cropped by the same box, so that its pixels can be compared with these"""
    source_points: Tensor | None = None
    """(478, 3) landmarks of ``source``, its pixels"""
    sync_frames: Tensor | None = None
    """(T, 3, 224, 224) uint8 RGB, on the CPU: what SyncNet sees of each frame, more than ``frames`` show"""

    def __post_init__(self) -> None:
        count = check_shape("VideoClip.frames", self.frames, f"T 3 {CLIP_SIZE} {CLIP_SIZE}")["T"]
        check_shape("VideoClip.points", self.points, f"{count} 478 3")

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def seen(self) -> Tensor:
        """(T,) bool: a face was found."""
        return ~self.points.isnan().any(-1).any(-1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a metric."""

    key: str
    """its name in JSON"""
    label: str
    """its name in tables, with the unit where it has one"""
    better: str = ""
    """"higher", "lower", or "" where neither is: read it against the real videos' own"""
    decimals: int = 3


@runtime_checkable
class ClipMetric(Protocol):
    """Measures one clip at a time."""

    figures: Sequence[Figure]

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        """A number for each of ``figures``, by its key.

        Raises:
            NotMeasuredError: the clip lacks what it needs (sound, a ground truth, a face, ...).
        """
        ...


@runtime_checkable
class SetMetric(Protocol):
    """Measures all clips of a folder together, and keeps of each only what it must."""

    figures: Sequence[Figure]

    def add(self, clip: VideoClip) -> None:
        """Count a clip in.

        Raises:
            NotMeasuredError: the clip lacks what it needs; it does not count.
        """
        ...

    def result(self) -> Mapping[str, float]:
        """A number for each of ``figures``, by its key, of all clips counted so far.

        Raises:
            NotMeasuredError: they are too few.
        """
        ...


Metric = ClipMetric | SetMetric


@dataclass(frozen=True, slots=True)
class MetricResources:
    """What metrics are made with."""

    weights: Path
    """folder of the evaluation networks' files: models/sadtalker/evaluation"""
    device: torch.device
    """where networks compute; clips stay on the CPU"""


MetricFactory = Callable[[MetricResources], Metric]
"""Makes a metric; raises ``NotMeasuredError`` where a file or a package that all clips need is missing."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of a clip, or those of a whole folder."""

    name: str
    values: dict[str, float] = field(default_factory=dict)
    """by the figure's key; only finite numbers"""
    missing: dict[str, str] = field(default_factory=dict)
    """for each figure that was not measured: "needs ...", as ``NotMeasuredError`` says it"""


@dataclass(frozen=True, slots=True)
class MetricSet:
    """Metrics that were made, and those that could not be."""

    made: tuple[Metric, ...]
    missing: dict[str, str]
    """for each figure whose metric could not be made: what it needs"""

    @classmethod
    def make(
        cls, factories: Mapping[str, tuple[Sequence[Figure], MetricFactory]], resources: MetricResources
    ) -> MetricSet:
        """Make all of ``factories``; each stands beside the figures it will give."""
        made: list[Metric] = []
        missing: dict[str, str] = {}
        for figures, factory in factories.values():
            try:
                made.append(factory(resources))
            except NotMeasuredError as error:
                missing.update(dict.fromkeys((figure.key for figure in figures), str(error)))
        return cls(tuple(made), missing)

    def measure(self, clip: VideoClip) -> Measurement:
        """The figures of one clip; metrics of sets count it in."""
        found = Measurement(clip.name, missing=dict(self.missing))
        for metric in self.made:
            try:
                if isinstance(metric, ClipMetric):
                    _keep(found, metric.measure(clip))
                else:
                    metric.add(clip)
            except NotMeasuredError as error:
                found.missing.update(dict.fromkeys((figure.key for figure in metric.figures), str(error)))
        return found

    def of_set(self) -> Measurement:
        """The figures of all clips together."""
        found = Measurement("all")
        for metric in self.made:
            if isinstance(metric, SetMetric):
                try:
                    _keep(found, metric.result())
                except NotMeasuredError as error:
                    found.missing.update(dict.fromkeys((figure.key for figure in metric.figures), str(error)))
        return found


def _keep(found: Measurement, values: Mapping[str, float]) -> None:
    for key, value in values.items():
        if isfinite(value):
            found.values[key] = float(value)
        else:
            found.missing[key] = "a clip in which it is defined"
