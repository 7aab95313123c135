"""``python -m sadtalker_core.finish.watermark detect FILE...``: the invisible mark in videos and pictures.

Exit status 0: each file has a mark; 1: some have none; 2: some cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import SadTalkerError
from .files import detect_in_file

FOUND, NOT_FOUND, UNREADABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, look, print a line for each file, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sadtalker_core.finish.watermark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = parser.add_subparsers(required=True).add_parser("detect", help="look for the invisible mark")
    command.add_argument("files", type=Path, nargs="+", metavar="FILE")
    command.add_argument("--frames", type=_count, help="how many frames of each video to look at; all unless told")
    given = parser.parse_args(arguments)
    statuses = []
    for path in given.files:
        try:
            detection = detect_in_file(path, given.frames)
        except SadTalkerError as error:
            print(error, file=sys.stderr)
            statuses.append(UNREADABLE)
            continue
        print(f"{path}: {detection}")
        statuses.append(FOUND if detection.found else NOT_FOUND)
    return max(statuses)


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number of frames from 1, got '{text}'")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
