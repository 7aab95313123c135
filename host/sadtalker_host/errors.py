"""The one error of the host tools: what happened, and what to do about it."""

from __future__ import annotations


class HostError(RuntimeError):
    """A step failed in a way a person can act on."""

    def __init__(self, problem: str, remedy: str = "", log_tail: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        self.log_tail = log_tail
        parts = [problem]
        if log_tail:
            parts.append("\n".join(f"    | {line}" for line in log_tail.splitlines()))
        if remedy:
            parts.append(f"What to do: {remedy}")
        super().__init__("\n".join(parts))
