"""Which packages the environment holds, and the stamp that says they are in."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

from .errors import HostError

TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
"""The three are built for one another; a mixed set fails when ComfyUI imports it."""
HOST_EXTRAS = ("requests",)
"""ComfyUI 0.3.75 imports requests without listing it."""


def requirement_set(root: Path, comfy: Path) -> tuple[str, ...]:
    """Every requirement of the environment, one a line, the pinned ones last so that they win a reader's eye.

    Raises:
        HostError: a requirements file is missing.
    """
    lines = [
        *read_requirements(comfy / "requirements.txt"),
        *HOST_EXTRAS,
        *read_requirements(root / "requirements.txt"),
        *read_extra(root / "pyproject.toml", "dev"),
    ]
    loose = [line for line in lines if _name(line) not in {_name(pin) for pin in TORCH}]
    return (*loose, *TORCH)


def read_requirements(path: Path) -> list[str]:
    """The lines of a requirements file without comments, blank lines and options."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HostError(f"Cannot read {path}: {error}.", "Restore the file, then run this again.") from error
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def read_extra(pyproject: Path, extra: str) -> list[str]:
    """One list of [project.optional-dependencies].

    Python 3.10 has no TOML reader; an array of plain strings reads the same as a Python list.
    """
    text = pyproject.read_text(encoding="utf-8")
    section = re.search(r"^\[project\.optional-dependencies\]$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    array = section and re.search(rf"^{re.escape(extra)}\s*=\s*(\[.*?\])\s*$", section.group(1), re.M | re.S)
    if not array:
        raise HostError(f"{pyproject} has no list '{extra}' in [project.optional-dependencies].", "Restore the file.")
    return [str(item) for item in ast.literal_eval(array.group(1))]


def fingerprint(requirements: tuple[str, ...]) -> str:
    """A hash of the requirement set; order does not matter."""
    return hashlib.sha256("\n".join(sorted(requirements)).encode()).hexdigest()


def read_stamp(folder: Path) -> str:
    """The hash that ``write_stamp`` left in ``folder``; empty if there is none."""
    try:
        return (folder / ".sadtalker-stamp").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def write_stamp(folder: Path, value: str) -> None:
    """Record that ``folder`` is complete; the last act of making it."""
    (folder / ".sadtalker-stamp").write_text(value + "\n", encoding="ascii")


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")
