"""Evaluations of several methods on the same inputs -> one table, with intervals for their differences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SadTalkerError
from ..metrics.figure_table import Evaluation, from_json, label, number, summary
from ..metrics.metric_list import all_figures
from ..metrics.video_metrics import Figure

RESAMPLES = 10_000
CONFIDENCE = 0.95
PAPER_ROWS = Path(__file__).with_name("paper_rows.json")
NOT_OURS = "quoted from the paper, not measured here"


@dataclass(frozen=True, slots=True)
class Difference:
    """How the mean of one method differs from that of another on the inputs that both have."""

    mean: float
    low: float
    """ends of the interval that holds the true difference with a confidence of 95 %"""
    high: float
    inputs: int


def read_evaluation(folder: Path) -> Evaluation:
    """The ``video.json`` that the command ``video`` left in a folder.

    Raises:
        SadTalkerError: it is not there, or is something else.
    """
    path = folder / "video.json" if folder.is_dir() else folder
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SadTalkerError(
            f"Expected the results of `python -m sadtalker_core.evaluation video` in {path} ({error}). Run it with "
            "--out FOLDER for each folder of videos first."
        ) from error


def paired_difference(ours: Mapping[str, float], theirs: Mapping[str, float], seed: int = 0) -> Difference:
    """Mean difference of values by input, with a bootstrap interval that keeps the pairs together.

    Inputs are drawn with replacement 10 000 times (Efron, "Bootstrap methods: another look at the jackknife", 1979);
    the interval lies between the 2.5th and the 97.5th percentile of the means. It is NaN with fewer than two inputs.
    """
    names = sorted(ours.keys() & theirs.keys())
    difference = np.array([ours[name] - theirs[name] for name in names])
    if len(difference) < 2:
        return Difference(float(difference.mean()) if len(difference) else nan, nan, nan, len(difference))
    drawn = np.random.default_rng(seed).integers(len(difference), size=(RESAMPLES, len(difference)))
    low, high = np.quantile(difference[drawn].mean(1), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Difference(float(difference.mean()), float(low), float(high), len(difference))


def comparison(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Means of every figure by method, and differences of each method to the first, for JSON."""
    first = next(iter(evaluations.values()))
    found: dict[str, Any] = {}
    for figure in all_figures():
        for name, evaluation in evaluations.items():
            if figure.key not in (means := summary(evaluation)):
                continue
            mean, deviation, count = means[figure.key]
            entry = {"mean": mean, "standard_deviation": deviation, "videos": count}
            ours, theirs = by_input(evaluation, figure), by_input(first, figure)
            if evaluation is not first and ours and theirs:
                difference = paired_difference(ours, theirs)
                entry["difference"] = [difference.mean, difference.low, difference.high, difference.inputs]
            found.setdefault(figure.key, {})[name] = entry
    return found


def by_input(evaluation: Evaluation, figure: Figure) -> dict[str, float]:
    """A figure's value of each clip that has one."""
    return {clip.name: clip.values[figure.key] for clip in evaluation.clips if figure.key in clip.values}


def comparison_table(evaluations: Mapping[str, Evaluation], paper_table: str | None = None) -> str:
    """Markdown: a line a figure, a column a method, with its difference to the first method and that one's interval.

    Args:
        paper_table: number of a table of the paper, such as '1' or 'A6', whose rows are printed below.

    Raises:
        SadTalkerError: the paper has no such table here.
    """
    found = comparison(evaluations)
    lines = ["| measure | " + " | ".join(evaluations) + " |", "|---|" + "---|" * len(evaluations)]
    for figure in all_figures():
        cells = [_cell(figure, found.get(figure.key, {}).get(name)) for name in evaluations]
        lines.append(f"| {label(figure)} | " + " | ".join(cells) + " |")
    lines.append(
        "\nMean ± standard deviation over the videos; in brackets the difference to the first column on the "
        "inputs of both, with the interval that holds it with a confidence of 95 %."
    )
    return "\n".join(lines) + "\n" + (paper_rows(paper_table) if paper_table else "")


def paper_rows(table: str) -> str:
    """A table of the paper in Markdown, marked as not measured here.

    Raises:
        SadTalkerError: there is no such table here.
    """
    stored = json.loads(PAPER_ROWS.read_text(encoding="utf-8"))
    if table not in stored["tables"]:
        raise SadTalkerError(f"Of the paper's tables there are {', '.join(stored['tables'])}; got '{table}'.")
    found = stored["tables"][table]
    known = {figure.key: figure for figure in all_figures()}
    heads = [label(known[key]).split(" (")[0] if key in known else key for key in found["figures"]]
    lines = [f"\n{found['title']} ({NOT_OURS}: {stored['source']})\n", "| method | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "---|" * len(heads))
    for name, values in found["rows"].items():
        lines.append(f"| {name} | " + " | ".join("" if v is None else f"{v:.3f}" for v in values) + " |")
    if "diversity" in found["figures"]:
        lines.append("\nThe paper's Diversity is in another unit and does not compare with ours.")
    return "\n".join(lines) + "\n"


def _cell(figure: Figure, entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "not measured"
    shown = number(figure, entry["mean"], entry["standard_deviation"])
    if "difference" not in entry:
        return shown
    mean, low, high, _ = entry["difference"]
    return f"{shown} ({mean:+.{figure.decimals}f}, {low:+.{figure.decimals}f} … {high:+.{figure.decimals}f})"
