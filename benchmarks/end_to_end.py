"""``python -m benchmarks.end_to_end``: seconds for each stage, frames a second, peak memory. See README.md."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .common import environment, environment_line, format_table, run_case, write_json
from .in_host import HOST_SECONDS, host_table, measure_in_host

SEED = 0


def main() -> None:
    """Parse the command line, measure, print the table."""
    options = _parser().parse_args()
    report: dict[str, Any] = {"benchmark": "end_to_end", **environment(options.threads)}
    report["settings"] = {"warmup": options.warmup, "repeats": options.repeats, "size": options.size, "seed": SEED}
    if options.host:
        report["host"] = measure_in_host(options.repeats, options.size)
        text = host_table(report["host"])
    else:
        report["cases"] = [_run_case(seconds, options) for seconds in options.seconds]
        report["machine"]["threads"] = report["cases"][0]["threads"]
        text = stage_table(report["cases"])
    print(f"{environment_line(report)}\n\n{text}")
    if options.json:
        write_json(options.json, report)


def stage_table(cases: list[dict[str, Any]]) -> str:
    """The results of all cases side by side: median seconds and interquartile range."""
    header = ["stage", *(f"{case['speech_s']:g} s of speech" for case in cases)]
    rows = [[stage, *(_seconds(case["stages"][stage]) for case in cases)] for stage in cases[0]["stages"]]
    rows.append(["sum, without loading", *(f"{case['sum_s']:.2f} s" for case in cases)])
    frame = cases[0]["frame"]
    rows.append([f"renderer at {frame[1]}x{frame[0]}", *(f"{case['render_fps']:.1f} frames/s" for case in cases)])
    rows.append(["frames", *(str(case["frames"]) for case in cases)])
    rows.append(["peak memory", *(_memory(case["peak_memory_mib"]) for case in cases)])
    return format_table(header, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[4.0, 20.0], help="lengths of speech to measure")
    parser.add_argument("--size", type=int, default=512, help="longer side of the rendered picture, pixels")
    parser.add_argument("--repeats", type=int, default=3, help="measured runs of each stage")
    parser.add_argument("--warmup", type=int, default=1, help="unmeasured runs of each stage before them")
    parser.add_argument("--threads", type=int, help="threads for torch (default: what torch chooses)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the environment to FILE")
    parser.add_argument(
        "--host",
        action="store_true",
        help=f"instead: {HOST_SECONDS:g} s of speech from queueing to mp4 in a real ComfyUI",
    )
    return parser


def _run_case(seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one length in a process of its own: peak memory belongs to a process and never shrinks."""
    settings = {
        "seconds": seconds,
        "size": options.size,
        "repeats": options.repeats,
        "warmup": options.warmup,
        "threads": options.threads,
        "seed": SEED,
    }
    return run_case("benchmarks.end_to_end_case", settings)


def _seconds(timing: dict[str, Any]) -> str:
    return f"{timing['median_s']:.3f} ±{timing['iqr_s']:.3f} s"


def _memory(mebibytes: float | None) -> str:
    return "not known" if mebibytes is None else f"{mebibytes:.0f} MiB"


if __name__ == "__main__":
    main()
