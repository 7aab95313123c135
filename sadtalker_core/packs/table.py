"""The packs there are: one row for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..pack import Pack
from .official.load import load_official_pack
from .open.load import load_open_pack


@dataclass(frozen=True, slots=True)
class PackKind:
    """Packs that are loaded in one way."""

    name: str
    folder: str | None
    """below the host's models folder, where a person puts their weight files; None: the weights come with the nodes"""
    load: Callable[[Path | None, int | None], Pack]
    """Makes a pack of a chosen weight file, and of the size in pixels that its networks were trained on where the files
    do not say it. Both are None for a pack that comes with the nodes."""


def _open(path: Path | None, size: int | None) -> Pack:
    return load_open_pack()


def _official(path: Path | None, size: int | None) -> Pack:
    if path is None:
        raise ValueError("An official pack is loaded from a weight file; got no path.")
    return load_official_pack(path, size=size)


KINDS = (PackKind("open", None, _open), PackKind("official", "sadtalker", _official))
"""A new pack is a folder beside this file and a row here."""
