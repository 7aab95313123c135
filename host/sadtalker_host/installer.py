"""Makes a virtual environment and puts packages in it: with uv where it can be had, else with pip."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from .console import run_logged, say, tail
from .errors import HostError
from .places import Places

_REMEDIES = (
    (
        r"no space left|os error 28|errno 28|disk quota|not enough space",
        "The disk is full. Free about 8 GB, or set SADTALKER_CACHE to a folder on a disk with room.",
    ),
    (
        r"dns error|name resolution|getaddrinfo|connection (refused|reset|error)|error sending request|max retries"
        r"|timed out|network is unreachable|could not connect|newconnectionerror|failed to fetch|proxyerror|sslerror"
        r"|certificate",
        "The package index could not be reached. Check the network (and HTTPS_PROXY, if you use a proxy), "
        "then run this again: what was already fetched is kept.",
    ),
    (
        r"no matching distribution|no solution found|no version of|has no wheels|requires-python",
        f"No fitting package for this Python {sys.version_info[0]}.{sys.version_info[1]}: run this with Python "
        "3.10 to 3.13 (64 bit). For other torch builds use COMFYUI_DIR with an installation of your own.",
    ),
    (
        r"hash mismatch|do not match the hashes",
        "A downloaded file is not the expected one. Clear the package cache ('uv cache clean' or "
        "'pip cache purge'), then run this again.",
    ),
    (r"permission denied|access is denied", "The cache folder is not writable: set SADTALKER_CACHE to one that is."),
)


def remedy_for(log: str) -> str:
    """What to do about a failed installation, from the text it left."""
    text = log.lower()
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, text):
            return remedy
    return "Read the log above; run this again when its cause is gone. What was already fetched is kept."


@dataclass(frozen=True, slots=True)
class Installer:
    """Runs uv, or pip where ``uv`` is empty, and writes all output to ``log``."""

    uv: tuple[str, ...]
    python: Path
    """the interpreter of the virtual environment"""
    log: Path

    @property
    def name(self) -> str:
        return "uv" if self.uv else "pip"

    def install(self, label: str, *arguments: str | Path) -> None:
        """Run ``pip install`` with ``arguments`` for the environment.

        Raises:
            HostError: it failed; carries the end of the log and a remedy.
        """
        if self.uv:
            command = [*self.uv, "pip", "install", "--python", self.python, *arguments]
        else:
            command = [self.python, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
        before = self.log.stat().st_size if self.log.exists() else 0
        if run_logged(command, self.log, label) != 0:
            with self.log.open("rb") as log:
                log.seek(before)
                text = log.read().decode("utf-8", errors="replace")
            raise HostError(
                f"{label} failed (log: {self.log}).", remedy_for(text), "\n".join(text.strip().splitlines()[-25:])
            )


def make_venv(places: Places) -> Installer:
    """Make the virtual environment, or take the one that is there, and find an installer for it.

    Raises:
        HostError: Python cannot make one.
    """
    log = places.logs / "setup.log"
    python = places.venv_python
    uv = _find_uv(places)
    if not runs(python):
        _remove_broken(places.venv)
        say(f"      a new virtual environment in {places.venv}")
        if uv:
            _venv_with_uv(uv, places, log)
        else:
            _venv_with_python(places)
    if not uv:
        uv = _install_uv(python, log)
    if not uv and not runs(python, "-m", "pip"):
        raise HostError(f"{places.venv} has no pip and uv is not to be had.", f"Delete {places.venv}; run this again.")
    return Installer(tuple(uv), python, log)


def runs(program: str | Path, *arguments: str) -> bool:
    """Whether ``program`` starts and answers to --version."""
    try:
        command = [str(program), *arguments, "--version"]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _find_uv(places: Places) -> tuple[str, ...]:
    candidates: list[tuple[str, ...]] = [
        (found,) for found in (shutil.which("uv"), str(places.scripts / "uv")) if found
    ]
    candidates.append((sys.executable, "-m", "uv"))
    return next((candidate for candidate in candidates if runs(*candidate)), ())


def _install_uv(python: Path, log: Path) -> tuple[str, ...]:
    """Put uv into the environment: it installs torch several times faster than pip. Without it pip does the work."""
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "uv"]
    if run_logged(command, log, "installing uv") == 0 and runs(python, "-m", "uv"):
        return (str(python), "-m", "uv")
    return ()


def _venv_with_uv(uv: tuple[str, ...], places: Places, log: Path) -> None:
    if run_logged([*uv, "venv", "--python", sys.executable, places.venv], log, "uv venv") != 0:
        raise HostError(
            f"uv could not make a virtual environment in {places.venv} (log: {log}).", remedy_for(tail(log)), tail(log)
        )


def _venv_with_python(places: Places) -> None:
    try:
        venv.create(places.venv, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise HostError(
            f"Python could not make a virtual environment in {places.venv}: {error}",
            f"On Debian and Ubuntu: apt install python{version}-venv. Or install uv (pip install uv); run this again.",
        ) from error


def _remove_broken(folder: Path) -> None:
    """Clear away an environment whose interpreter is gone, and nothing that is not an environment."""
    if not folder.exists():
        return
    if not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise HostError(
            f"{folder} exists and is not a virtual environment.", "Move it away, or set SADTALKER_CACHE elsewhere."
        )
    say(f"      removing a virtual environment that no longer runs: {folder}")
    shutil.rmtree(folder)
