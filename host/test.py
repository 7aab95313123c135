"""Sets up a real ComfyUI, then runs the whole test suite; further arguments go to pytest."""

import sys

# This file must parse on an old Python, so that the message below is what its user sees.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("host/test.py needs Python 3.10 or newer; this is Python " + sys.version.split()[0] + ".")

from sadtalker_host.commands import guarded
from sadtalker_host.commands import test_main as program

if __name__ == "__main__":
    sys.exit(guarded(program))
