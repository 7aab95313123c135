"""What every benchmark shares: timing, facts about the machine, peak memory, tables and JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "torchaudio", "numpy", "scipy", "opencv-python-headless", "av", "safetensors")
"""Packages whose version can change a result."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall-clock seconds of the repeats of one action."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Interquartile range; 0 for a single run."""
        if len(self.runs) < 2:
            return 0.0
        lower, _, upper = statistics.quantiles(self.runs, n=4, method="inclusive")
        return upper - lower

    def as_json(self) -> dict[str, Any]:
        return {"median_s": self.median, "iqr_s": self.spread, "runs_s": list(self.runs)}


def measure(action: Callable[[], T], *, warmup: int, repeats: int) -> tuple[Timing, T]:
    """Run ``action`` ``warmup`` times unmeasured, then ``repeats`` times; returns the times and the last result."""
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    for _ in range(warmup):
        action()
    runs: list[float] = []
    kept: list[T] = []
    for _ in range(repeats):
        kept.clear()  # or two results would be alive at once, and the peak memory would be that of the benchmark
        started = time.perf_counter()
        kept.append(action())
        runs.append(time.perf_counter() - started)
    return Timing(tuple(runs)), kept[0]


def run_case(module: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What ``python -m module`` prints for these settings, both JSON; a process of its own for each case, because peak
    memory belongs to a process and never shrinks.
    """
    command = [sys.executable, "-m", module, json.dumps(settings)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the case {settings} failed (exit status {done.returncode}); its error is above")
    return json.loads(done.stdout)


def peak_memory_mib(who: str = "self") -> float | None:
    """Largest resident memory of this process ('self') or of its largest ended child ('children'), in MiB.

    None where the system does not say (Windows). A process counts what its parent held when it was started, so
    measure in a child of a small parent.
    """
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(resource.RUSAGE_SELF if who == "self" else resource.RUSAGE_CHILDREN)
    return usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def environment(threads: int | None) -> dict[str, Any]:
    """What a reader needs to know to compare two results: machine, versions, commit."""
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "threads": threads,
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def environment_line(facts: dict[str, Any]) -> str:
    """The facts in one line, for above a table."""
    machine, versions = facts["machine"], facts["versions"]
    changed = " + uncommitted changes" if facts["uncommitted_changes"] else ""
    threads = f", {machine['threads']} threads" if machine["threads"] else ""
    return (
        f"{machine['processor']}, {machine['cores']} cores{threads}; torch {versions['torch']}; "
        f"commit {facts['commit'][:10]}{changed}"
    )


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well in a terminal; the first column is left-aligned."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_padded(header, widths), rule, *(_padded(row, widths) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Write a report, readable in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
