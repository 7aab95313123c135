"""``python -m sadtalker_core.training open --data DIR``: rebuild the open pack from clips."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from ..files.assets import OPEN_ASSETS
from .expnet import ExpNetTraining
from .open_pack import OpenPackTraining, build_open_pack
from .posevae import PoseVAETraining

STAGES = ("tracks", "morphable", "expnet", "posevae", "measure")


def main() -> None:
    """Parse the command line, run the stages, print the figures as JSON."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan, stages = parse_command(None)
    print(json.dumps(build_open_pack(plan, stages), indent=2))


def parse_command(arguments: Sequence[str] | None) -> tuple[OpenPackTraining, tuple[str, ...]]:
    """The plan and the stages that a command line asks for; None reads the process's own."""
    parser = argparse.ArgumentParser(prog="python -m sadtalker_core.training", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("open", help="tracks -> 3DMM -> ExpNet -> PoseVAE -> assets")
    command.add_argument("--data", type=Path, required=True, help="folder that holds clips/grid_s1, clips/motion …")
    command.add_argument("--cache", type=Path, default=Path("runs/open"), help="where tracks are kept between runs")
    command.add_argument("--out", type=Path, default=OPEN_ASSETS, help="where the pack's files go")
    command.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    command.add_argument("--workers", type=int, default=2, help="processes that track clips")
    command.add_argument(
        "--expnet-falls",
        type=int,
        nargs="+",
        default=ExpNetTraining().falls,
        help="steps after which ExpNet's learning rate has fallen to nothing",
    )
    command.add_argument(
        "--expnet-averaged",
        type=int,
        default=ExpNetTraining().averaged,
        help="steps after the last fall, over which the weights are averaged",
    )
    command.add_argument(
        "--expnet-from", type=Path, help="an expnet.safetensors that goes through these last steps only, on this data"
    )
    command.add_argument("--posevae-steps", type=int, default=PoseVAETraining().steps)
    command.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    plan = OpenPackTraining(
        data=given.data,
        cache=given.cache,
        out=given.out,
        workers=given.workers,
        expnet_from=given.expnet_from,
        expnet=ExpNetTraining(falls=tuple(given.expnet_falls), averaged=given.expnet_averaged, seed=given.seed),
        posevae=PoseVAETraining(steps=given.posevae_steps, seed=given.seed),
    )
    return plan, tuple(given.stages)


if __name__ == "__main__":
    main()
