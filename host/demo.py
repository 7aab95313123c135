"""Makes a portrait speak in a real ComfyUI; sets up everything it needs first. See --help."""

import sys

# This file must parse on an old Python, so that the message below is what its user sees.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("host/demo.py needs Python 3.10 or newer; this is Python " + sys.version.split()[0] + ".")

from sadtalker_host.commands import guarded
from sadtalker_host.demo import main as program

if __name__ == "__main__":
    sys.exit(guarded(program))
