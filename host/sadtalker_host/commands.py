"""The other two programs: the test suite, and any command, inside the environment. And how all three end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from .console import say
from .environment import command_environment, prepare
from .errors import HostError
from .places import ON_WINDOWS, Places, find_places

REQUIRED = "SADTALKER_HOST_REQUIRED"
"""Set for the test suite: a missing host is then a failure, not a reason to skip."""
WHOLE_SUITE = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")
"""Arguments that spread the suite over the cores, file by file, in the order that ``tests/conftest.py`` gives them.
Groups (``--dist loadgroup``) do not work: pytest 9.2 does not look at the names that xdist 3.8 marks them by."""

VALUED = ("-k", "-m", "-p", "--deselect", "--ignore")
"""Options of pytest that are followed by a value."""


def test_main(arguments: Sequence[str]) -> int:
    """Set up, then run the test suite in the repository; ``arguments`` go to pytest.

    The whole suite, or a folder, runs on all cores. Named files are run by one process, which starts faster.
    """
    places = find_places()
    prepare(places)
    if _names_files(arguments):
        return _call(places, ["pytest", *arguments], {REQUIRED: "1"}, cwd=places.root)
    variables = {REQUIRED: "1", "OMP_NUM_THREADS": "1"}  # several processes, one thread each
    return _call(places, ["pytest", *WHOLE_SUITE, *arguments], variables, cwd=places.root)


def _names_files(arguments: Sequence[str]) -> bool:
    """Whether files or single tests are among the arguments of pytest; the values of options do not count."""
    before = ("", *arguments)
    pairs = zip(before, arguments, strict=False)
    return any(
        ".py" in argument and not argument.startswith("-") and option not in VALUED for option, argument in pairs
    )


def run_main(arguments: Sequence[str]) -> int:
    """Set up, then run a command in the current folder."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command or command[0] in ("-h", "--help"):
        say("usage: python host/run.py COMMAND [ARGUMENT ...], such as: python -m benchmarks.end_to_end")
        return 0 if command else 2
    places = find_places()
    prepare(places)
    return _call(places, command)


def guarded(program: Callable[[Sequence[str]], int]) -> int:
    """Run ``program`` on the command line's arguments; errors become their text, Ctrl-C and SIGTERM an orderly end."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        return program(sys.argv[1:])
    except HostError as error:
        say(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nstopped")
        return 130


def resolve(places: Places, name: str) -> str:
    """The environment's program of that name; python and python3 are its interpreter.

    Raises:
        HostError: there is no such program.
    """
    if name in ("python", "python3"):
        return str(places.venv_python)
    search = os.pathsep.join([str(places.scripts), os.environ.get("PATH", "")])
    found = shutil.which(name, path=search)
    if found is None:
        raise HostError(f"There is no program '{name}' in the environment or on the PATH.")
    return found


def _call(
    places: Places, command: Sequence[str], variables: dict[str, str] | None = None, cwd: Path | None = None
) -> int:
    environ = {**command_environment(places), **(variables or {})}
    line = [resolve(places, command[0]), *command[1:]]
    if not ON_WINDOWS:
        # The same process: signals and the exit status need no passing on.
        sys.stdout.flush()
        os.chdir(cwd or Path.cwd())
        os.execve(line[0], line, environ)
    return subprocess.run(line, env=environ, cwd=cwd, check=False).returncode
