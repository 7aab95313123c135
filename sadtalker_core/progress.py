"""Progress of long work: a callback that reports it and can stop the work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total); it may raise an exception to stop the work."""


def no_progress(done: int, total: int) -> None:
    """The default ``Progress``: does nothing."""


def part_of(on_progress: Progress, part: int, parts: int, *, length: int = 1) -> Progress:
    """Progress for a part of the work: ``length`` of ``parts`` equal parts, starting with part number ``part``."""
    return lambda done, total: on_progress(part * total + length * done, parts * total)
