"""``python -m benchmarks.stages``: the official pack's networks one by one, beside the reference's cost.

The generator is also measured in its plain formulation on the same cores, which is the fair comparison: the
reference's own figures come from another machine. See README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import reference_cost
from .common import environment, environment_line, format_table, run_case, write_json

SEED = 0
CASE = "benchmarks.stages_case"
AUDIO_STAGES = {"mel": "s of audio", "ExpNet": "s of audio", "PoseVAE": "s of audio", "3DMM regressor": "picture"}
RENDER_STAGES = {"keypoint detector": "picture", "MappingNet": "frame", "portrait": "picture", "generator": "frame"}


def main() -> None:
    """Parse the command line, measure, print the tables."""
    options = _parser().parse_args()
    report: dict[str, Any] = {"benchmark": "stages", **environment(None), "reference": reference_cost.MACHINE}
    report["settings"] = {"warmup": options.warmup, "repeats": options.repeats, "seed": SEED}
    report["audio"] = [_audio(threads) for threads in options.threads]
    report["render"] = [
        _render(size, batch, threads, options)
        for size in options.sizes
        for batch in options.batches
        for threads in options.threads
    ]
    tables = (audio_table(report["audio"]), render_table(report["render"]), generator_table(report["render"]))
    print("\n\n".join((environment_line(report), *tables, f"Reference: {reference_cost.MACHINE}.")))
    if options.json:
        write_json(options.json, report)


def audio_table(cases: list[dict[str, Any]]) -> str:
    """Seconds of the stages before the renderer."""
    header = ["stage", "unit", "threads", "seconds", "reference", "reference / ours"]
    rows = [
        [stage, unit, str(case["threads"]), *_compared(case[stage], reference_cost.AUDIO.get(case["threads"]), stage)]
        for stage, unit in AUDIO_STAGES.items()
        for case in cases
    ]
    return format_table(header, rows)


def render_table(cases: list[dict[str, Any]]) -> str:
    """Seconds of the renderer's stages."""
    header = ["stage", "unit", "size", "batch", "threads", "seconds", "reference", "reference / ours"]
    rows = [
        [stage, unit, *_case_name(case), *_compared(case[stage], _reference(case), stage)]
        for stage, unit in RENDER_STAGES.items()
        for case in cases
    ]
    return format_table(header, rows)


def generator_table(cases: list[dict[str, Any]]) -> str:
    """The generator beside its plain formulation, for a frame, and the peak memory of a process with all networks.

    Seconds on the clock, then those of the processors, which other work on the machine disturbs less.
    """
    header = ["size", "batch", "threads", "seconds", "plain", "plain / ours", "CPU s", "plain", "plain / ours"]
    rows: list[list[str]] = []
    for case in cases:
        row = _case_name(case)
        for clock in ("median_s", "processor_s"):
            ours, plain = (timings["generator"][clock] for timings in (case, case["plain"]))
            row += [f"{ours:.2f}", f"{plain:.2f}", f"{plain / ours:.2f}"]
        peaks = (case["peak_memory_mib"], case["plain"]["peak_memory_mib"], _reference(case).get("peak_memory_mib"))
        rows.append([*row, *("-" if peak is None else f"{peak:.0f}" for peak in peaks)])
    return format_table([*header, "MiB", "plain", "reference"], rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides of the frames, pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4], help="frames rendered at once")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads for torch")
    parser.add_argument("--repeats", type=int, default=1, help="measured runs of the generator")
    parser.add_argument("--warmup", type=int, default=0, help="unmeasured runs of the generator before them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the environment to FILE")
    return parser


def _audio(threads: int) -> dict[str, Any]:
    return {"threads": threads} | run_case(CASE, {"part": "audio", "threads": threads, "seed": SEED})


def _render(size: int, batch: int, threads: int, options: argparse.Namespace) -> dict[str, Any]:
    case = {"size": size, "batch": batch, "threads": threads}
    settings = case | {"seed": SEED, "warmup": options.warmup, "repeats": options.repeats}
    plain = run_case(CASE, settings | {"part": "plain"})
    return case | run_case(CASE, settings | {"part": "render"}) | {"plain": plain}


def _reference(case: dict[str, Any]) -> dict[str, float]:
    return reference_cost.RENDER.get((case["size"], case["batch"], case["threads"]), {})


def _compared(timing: dict[str, Any], reference: dict[str, float] | None, stage: str) -> list[str]:
    """Our seconds, the reference's, and how many times faster we are; '-' where there is no figure."""
    ours, theirs = timing["median_s"], (reference or {}).get(stage)
    if theirs is None:
        return [_digits(ours), "-", "-"]
    return [_digits(ours), _digits(theirs), f"{theirs / ours:.2f}"]


def _case_name(case: dict[str, Any]) -> list[str]:
    return [str(case[key]) for key in ("size", "batch", "threads")]


def _digits(seconds: float) -> str:
    return f"{seconds:.4f}" if seconds < 1 else f"{seconds:.2f}"


if __name__ == "__main__":
    main()
