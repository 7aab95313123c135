"""``python -m sadtalker_core.evaluation motion --clips DIR --pack open``: numbers for how a pack moves faces."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..pack import Pack
from ..training.open_pack import HELD_OUT_EVERY
from ..weights.open_pack import OPEN_ASSETS, load_open_pack
from .clips import read_clips
from .motion import MEASURES, MouthFigures, as_json, measure_motion
from .motion_table import clip_rows, motion_rows
from .report import markdown_table


def main() -> None:
    """Parse the command line and run one of the evaluations."""
    parser = argparse.ArgumentParser(prog="python -m sadtalker_core.evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _add_motion(commands.add_parser("motion", help="lips, silence, head and identity against real clips"))
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
    command.set_defaults(run=_run_motion)


def _run_motion(given: argparse.Namespace) -> None:
    clips = read_clips(given.clips, given.tracks, every=HELD_OUT_EVERY if given.held_out else 1)
    results = measure_motion(_pack(given.pack), clips, given.measures)
    rows = motion_rows(results, same_corpus=given.same_corpus)
    mouth = results.get("mouth")
    if isinstance(mouth, MouthFigures):
        rows += clip_rows(mouth)
    table = markdown_table(rows)
    report = {"pack": given.pack, "clips": given.clips.name, "held_out": given.held_out, **as_json(results)}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "motion.json").write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
    (given.out / "motion.md").write_text(table, encoding="utf-8")
    print(table)


def _pack(name: str) -> Pack:
    return load_open_pack(OPEN_ASSETS if name == "open" else Path(name))


if __name__ == "__main__":
    main()
