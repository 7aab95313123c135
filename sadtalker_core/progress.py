"""Progress of long work: a callback that reports it and can stop the work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total); it may raise an exception to stop the work."""


def no_progress(done: int, total: int) -> None:
    """The default ``Progress``: does nothing."""


def part_of(on_progress: Progress, part: int, parts: int, *, length: int = 1, steps: int | None = None) -> Progress:
    """Progress of a part of the work as progress of the whole.

    Args:
        part: number of the part, from 0, of ``parts`` equal ones.
        length: how many of the equal parts it takes.
        steps: steps of each part in the whole, where the totals of the parts differ; None: as many as the part reports.
    """

    def report(done: int, total: int) -> None:
        if steps is not None:
            done, total = steps * done // max(total, 1), steps
        on_progress(part * total + length * done, parts * total)

    return report
