"""Measurements of many clips -> mean and spread of each figure, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import nan
from statistics import fmean, stdev
from typing import Any

from .metric_list import all_figures
from .video_metrics import Figure, Measurement

_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one folder of videos."""

    clips: tuple[Measurement, ...]
    whole: Measurement
    """figures that only all clips together have, such as FID"""


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """What ``from_json`` reads: every clip's figures, those of the whole, and their means for people to look at."""
    means = {key: {"mean": m, "standard_deviation": s, "clips": n} for key, (m, s, n) in summary(evaluation).items()}
    return {"clips": [asdict(clip) for clip in evaluation.clips], "all": asdict(evaluation.whole), "means": means}


def from_json(stored: dict[str, Any]) -> Evaluation:
    """The evaluation that ``as_json`` wrote."""
    return Evaluation(tuple(Measurement(**clip) for clip in stored["clips"]), Measurement(**stored["all"]))


def summary(evaluation: Evaluation) -> dict[str, tuple[float, float, int]]:
    """Mean, standard deviation and number of clips of each figure that was measured; NaN deviation of a single one."""
    found: dict[str, tuple[float, float, int]] = {}
    for figure in all_figures():
        values = [clip.values[figure.key] for clip in evaluation.clips if figure.key in clip.values]
        if values:
            found[figure.key] = fmean(values), stdev(values) if len(values) > 1 else nan, len(values)
        elif figure.key in evaluation.whole.values:
            found[figure.key] = evaluation.whole.values[figure.key], nan, len(evaluation.clips)
    return found


def why_missing(evaluation: Evaluation, figure: Figure) -> str:
    """ "not measured: needs ..." for a figure that no clip has."""
    reasons = [m.missing[figure.key] for m in (*evaluation.clips, evaluation.whole) if figure.key in m.missing]
    return "not measured" + (f": needs {reasons[0]}" if reasons else "")


def label(figure: Figure) -> str:
    """The figure's name with an arrow towards the better."""
    return figure.label + _ARROWS[figure.better]


def number(figure: Figure, mean: float, deviation: float = nan) -> str:
    """A mean, with its standard deviation where there is one."""
    shown = f"{mean:.{figure.decimals}f}"
    return shown if deviation != deviation else f"{shown} ± {deviation:.{figure.decimals}f}"


def figures_table(evaluation: Evaluation, beside: Evaluation | None = None, name: str = "these videos") -> str:
    """One line a figure in Markdown, with the real videos' own value beside it where they were measured too."""
    found, real = summary(evaluation), summary(beside) if beside else {}
    columns = [name, *(["real videos"] if beside else []), "videos"]
    lines = [_line(["measure", *columns]), _line(["---"] * (len(columns) + 1))]
    for figure in all_figures():
        if figure.key not in found:
            lines.append(_line([label(figure), why_missing(evaluation, figure), *[""] * (len(columns) - 1)]))
            continue
        mean, deviation, count = found[figure.key]
        theirs = [number(figure, *real[figure.key][:2]) if figure.key in real else ""] if beside else []
        lines.append(_line([label(figure), number(figure, mean, deviation), *theirs, str(count)]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
