"""``python -m sadtalker_core.evaluation {motion,video,compare} ...``: numbers for packs and for finished videos."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..files.assets import OPEN_ASSETS
from ..metrics.figure_table import as_json as evaluation_as_json
from ..metrics.figure_table import figures_table
from ..metrics.metric_list import METRICS
from ..metrics.report import markdown_table
from ..metrics.video_metrics import MetricResources, MetricSet
from ..pack import Pack
from ..packs.open.load import load_open_pack
from ..training.open_pack import HELD_OUT_EVERY
from .clips import read_clips
from .compare import comparison, comparison_table, read_evaluation
from .motion import MEASURES, MouthFigures, as_json, measure_motion
from .motion_table import clip_rows, motion_rows
from .video import VideoFolders, evaluate_folder


def main() -> None:
    """Parse the command line and run one of the evaluations."""
    parser = argparse.ArgumentParser(prog="python -m sadtalker_core.evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_motion(commands.add_parser("motion", help="lips, silence, head and identity against real clips"))
    _add_video(commands.add_parser("video", help="the paper's figures of a folder of finished videos"))
    _add_compare(commands.add_parser("compare", help="several folders of the same inputs in one table"))
    given = parser.parse_args()
    given.run(given)


def _add_motion(command: argparse.ArgumentParser) -> None:
    command.add_argument("--clips", type=Path, required=True, help="folder of video clips with speech")
    command.add_argument("--pack", default="open", help="'open', or a folder with the files of an open pack")
    command.add_argument("--tracks", type=Path, help="where the clips' landmark tracks are kept between runs")
    command.add_argument("--out", type=Path, default=Path("runs/evaluation"), help="where motion.json and .md go")
    command.add_argument("--measures", nargs="+", choices=tuple(MEASURES), default=tuple(MEASURES))
    command.add_argument(
        "--held-out", action="store_true", help="only the clips of the training speaker that training leaves out"
    )
    command.add_argument(
        "--same-corpus", action="store_true", help="hold the lips to the target for the corpus of the training speaker"
    )
    command.add_argument(
        "--styles", type=int, nargs="+", default=[], help="only these head-motion styles, when the clips are of one"
    )
    command.set_defaults(run=_run_motion)


def _run_motion(given: argparse.Namespace) -> None:
    clips = read_clips(given.clips, given.tracks, every=HELD_OUT_EVERY if given.held_out else 1)
    results = measure_motion(_pack(given.pack), clips, given.measures, given.styles)
    rows = motion_rows(results, same_corpus=given.same_corpus)
    mouth = results.get("mouth")
    if isinstance(mouth, MouthFigures):
        rows += clip_rows(mouth)
    table = markdown_table(rows)
    report = {
        "pack": given.pack,
        "clips": given.clips.name,
        "held_out": given.held_out,
        "styles": given.styles,
        **as_json(results),
    }
    _write(given.out, "motion", report, table)


def _add_video(command: argparse.ArgumentParser) -> None:
    command.add_argument("videos", type=Path, help="folder of finished videos")
    command.add_argument("--references", type=Path, help="folder of the real videos, of the same names")
    command.add_argument("--sources", type=Path, help="folder of the portraits, of the same names")
    command.add_argument("--cropped", action="store_true", help="all videos are square face crops already")
    command.add_argument("--measures", nargs="+", choices=tuple(METRICS), default=tuple(METRICS))
    command.add_argument("--weights", type=Path, default=Path("models/sadtalker/evaluation"))
    command.add_argument("--device", default="cpu", help="where networks compute")
    command.add_argument("--out", type=Path, default=Path("runs/evaluation"), help="where video.json and .md go")
    command.set_defaults(run=_run_video)


def _run_video(given: argparse.Namespace) -> None:
    landmarker = load_open_pack().landmarker
    metrics = MetricSet.make(
        {name: METRICS[name] for name in given.measures}, MetricResources(given.weights, torch.device(given.device))
    )
    folders = VideoFolders(given.videos, given.references, given.sources, given.cropped)
    with tqdm(desc="videos", unit="video") as bar:
        evaluation = evaluate_folder(
            folders, landmarker, metrics, on_progress=lambda done, all_: _show(bar, done, all_)
        )
    report = {"videos": given.videos.name, "measures": given.measures, **evaluation_as_json(evaluation)}
    _write(given.out, "video", report, figures_table(evaluation))


def _show(bar: tqdm, done: int, everything: int) -> None:
    bar.total = everything
    bar.update(done - bar.n)


def _add_compare(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "results", type=Path, nargs="+", help="folders that `video --out` wrote; the first is compared to"
    )
    command.add_argument("--paper", help="also print a table of the paper: 1, 2 (votes of people), 3, 4, A5, A6 or A7")
    command.add_argument("--out", type=Path, default=Path("runs/evaluation"), help="where compare.json and .md go")
    command.set_defaults(run=_run_compare)


def _run_compare(given: argparse.Namespace) -> None:
    evaluations = {folder.name: read_evaluation(folder) for folder in given.results}
    if len(evaluations) < len(given.results):
        raise SystemExit("The folders of results are told apart by their last names, and two of these are the same.")
    _write(given.out, "compare", comparison(evaluations), comparison_table(evaluations, given.paper))


def _write(folder: Path, name: str, report: dict[str, Any], table: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
    (folder / f"{name}.md").write_text(table, encoding="utf-8")
    print(table)


def _pack(name: str) -> Pack:
    return load_open_pack(OPEN_ASSETS if name == "open" else Path(name))


if __name__ == "__main__":
    main()
