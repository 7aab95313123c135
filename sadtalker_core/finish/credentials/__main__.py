"""``python -m sadtalker_core.finish.credentials sign FILE --certificate C --key K``: a copy that says, signed, that AI
made it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import SadTalkerError
from .sign import sign_file


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, sign, say where the copy is; the exit status is 1 if it does not work."""
    parser = argparse.ArgumentParser(prog="python -m sadtalker_core.finish.credentials", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("sign", help="write a signed copy of a video or picture")
    command.add_argument("file", type=Path)
    command.add_argument(
        "--certificate", type=Path, required=True, help="PEM file: the signer's certificate, then those up to its root"
    )
    command.add_argument("--key", type=Path, required=True, help="PEM file: the signer's private key, no password")
    command.add_argument("--out", type=Path, help="the signed copy; FILE with '-signed' in its name unless told")
    given = parser.parse_args(arguments)
    signed = given.out or given.file.with_stem(f"{given.file.stem}-signed")
    try:
        sign_file(given.file, signed, given.certificate, given.key)
    except SadTalkerError as error:
        print(error, file=sys.stderr)
        return 1
    print(signed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
