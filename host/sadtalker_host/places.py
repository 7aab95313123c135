"""Where the repository, the cache, the virtual environment and ComfyUI lie; reads the environment, changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import HostError

REPOSITORY = Path(__file__).resolve().parents[2]
LINK_NAME = "sadtalker-stages"
"""folder name under which ComfyUI sees the pack: the project name, as after an installation from the registry"""
ON_WINDOWS = os.name == "nt"


@dataclass(frozen=True, slots=True)
class Places:
    """All folders the host tools use. Only what lies under ``cache`` is ever written."""

    root: Path
    """the repository"""
    cache: Path
    comfy: Path
    """the ComfyUI folder, holding main.py"""
    own_comfy: bool
    """False: ``comfy`` is a person's installation (COMFYUI_DIR), which is left untouched"""
    foreign_python: Path | None
    """the interpreter of a person's installation; None: ours runs the server"""

    @property
    def venv(self) -> Path:
        return self.cache / "venv"

    @property
    def venv_python(self) -> Path:
        return self.scripts / ("python.exe" if ON_WINDOWS else "python")

    @property
    def scripts(self) -> Path:
        """The folder of the environment's commands (pytest, ruff, ...)."""
        return self.venv / ("Scripts" if ON_WINDOWS else "bin")

    @property
    def server_python(self) -> Path:
        return self.foreign_python or self.venv_python

    @property
    def custom_nodes(self) -> Path:
        """Holds nothing but the link to the repository, so that ComfyUI finds this one pack in it."""
        return self.cache / "custom_nodes"

    @property
    def logs(self) -> Path:
        return self.cache / "logs"


def find_places(environ: Mapping[str, str] | None = None) -> Places:
    """Read SADTALKER_CACHE, COMFYUI_DIR and COMFYUI_PYTHON.

    Raises:
        HostError: COMFYUI_DIR is no ComfyUI folder, or COMFYUI_PYTHON no file.
    """
    environ = os.environ if environ is None else environ
    # Absolute, but without following links: the path of a virtual environment's python is what makes it one.
    cache = _absolute(environ.get("SADTALKER_CACHE") or str(REPOSITORY / ".cache"))
    theirs = environ.get("COMFYUI_DIR")
    if not theirs:
        return Places(REPOSITORY, cache, cache / "ComfyUI", own_comfy=True, foreign_python=None)
    comfy = _absolute(theirs)
    _check_comfy(comfy)
    python = _given_python(environ) or _python_beside(comfy)
    return Places(REPOSITORY, cache, comfy, own_comfy=False, foreign_python=python)


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


def _check_comfy(comfy: Path) -> None:
    if not (comfy / "main.py").is_file() or not (comfy / "folder_paths.py").is_file():
        raise HostError(
            f"COMFYUI_DIR={comfy} is not a ComfyUI folder: main.py and folder_paths.py are expected in it.",
            "Give the folder that holds ComfyUI's main.py, or unset COMFYUI_DIR to use a ComfyUI of our own.",
        )
    if not (comfy / "comfy_api" / "latest").is_dir():
        raise HostError(
            f"The ComfyUI in {comfy} is too old: it has no comfy_api/latest, which this pack's nodes are written for.",
            "Update it to 0.3.64 or newer, or unset COMFYUI_DIR to use a ComfyUI of our own.",
        )


def _given_python(environ: Mapping[str, str]) -> Path | None:
    given = environ.get("COMFYUI_PYTHON")
    if not given:
        return None
    python = _absolute(given)
    if not python.is_file():
        raise HostError(
            f"COMFYUI_PYTHON={python} is not a file.", "Give the full path of the Python that runs that ComfyUI."
        )
    return python


def _python_beside(comfy: Path) -> Path | None:
    """The interpreter of the usual ways to install ComfyUI: a venv in or beside it, or the Windows portable build."""
    inside = ("Scripts/python.exe",) if ON_WINDOWS else ("bin/python",)
    folders = (comfy / ".venv", comfy / "venv", comfy.parent / ".venv", comfy.parent / "venv")
    candidates = [folder / name for folder in folders for name in inside]
    candidates.append(comfy.parent / "python_embeded" / "python.exe")
    return next((python for python in candidates if python.is_file()), None)
