"""How long work tells how far it is, and where it can be stopped."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total); may raise to interrupt the work."""


def no_progress(done: int, total: int) -> None:
    """The default ``Progress``: ignore it."""


def part_of(on_progress: Progress, part: int, parts: int, *, length: int = 1) -> Progress:
    """Progress of ``length`` of ``parts`` equal parts of the work, from part number ``part`` on, as that of the whole."""
    return lambda done, total: on_progress(part * total + length * done, parts * total)
