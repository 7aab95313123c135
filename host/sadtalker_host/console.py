"""Progress lines for the person at the terminal, and child processes whose output goes to a log file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 20.0


def say(line: str) -> None:
    """Print a progress line. It goes to stderr, so that stdout holds results alone."""
    print(line, file=sys.stderr, flush=True)


def tail(path: Path, lines: int = 25) -> str:
    """The last ``lines`` lines of a text file; empty if there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def run_logged(command: Sequence[str | Path], log: Path, label: str, environ: Mapping[str, str] | None = None) -> int:
    """Run ``command`` with its output appended to ``log``; say every 20 seconds that it still runs.

    Returns:
        The exit status.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        output.flush()
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(os.environ if environ is None else environ),
        )
        try:
            return _wait(child, label)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def _wait(child: subprocess.Popen[bytes], label: str) -> int:
    start = time.monotonic()
    while True:
        try:
            return child.wait(timeout=HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"      {label}: {time.monotonic() - start:.0f} s so far ...")
