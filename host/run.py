"""Runs any command in the environment that host/demo.py and host/test.py use."""

import sys

# This file must parse on an old Python, so that the message below is what its user sees.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("host/run.py needs Python 3.10 or newer; this is Python " + sys.version.split()[0] + ".")

from sadtalker_host.commands import guarded
from sadtalker_host.commands import run_main as program

if __name__ == "__main__":
    sys.exit(guarded(program))
