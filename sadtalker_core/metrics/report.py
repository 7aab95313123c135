"""Figures as a table that people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    measure: str
    value: str
    beside: str = ""
    """what it is to be read against: a baseline, or the real clips' own value"""
    target: str = ""
    holds: bool | None = None
    """None where there is no target, or nothing was measured"""


def markdown_table(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    lines = ["| measure | value | beside | target | holds |", "|---|---|---|---|---|"]
    for row in rows:
        holds = {True: "yes", False: "no", None: ""}[row.holds]
        lines.append(f"| {row.measure} | {row.value} | {row.beside} | {row.target} | {holds} |")
    return "\n".join(lines) + "\n"
