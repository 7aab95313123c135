"""Errors a user can act on: each says what was expected, what came, and what to do."""

from __future__ import annotations


class SadTalkerError(ValueError):
    """Base of every error this pack raises on purpose; its text is meant for the person at the graph."""


class ShapeError(SadTalkerError):
    """A tensor does not have the shape that its place in the flow demands."""

    def __init__(self, name: str, expected: str, actual: tuple[int, ...]) -> None:
        super().__init__(f"{name}: expected shape ({expected}), got {actual}.")
        self.expected = expected
        self.actual = actual


class AudioError(SadTalkerError):
    """The audio cannot be used: empty, not finite, or an impossible sample rate."""


class FaceNotFoundError(SadTalkerError):
    """No usable face where one is needed (none found, index out of range, cut by the border, turned too far)."""


class BasisMismatchError(SadTalkerError):
    """Coefficients of one basis reached a stage that works in another."""

    def __init__(self, stage: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{stage} works with coefficients of the basis '{expected}', but received the basis '{actual}'. "
            "Connect all stages to the same Load Models node."
        )
        self.expected = expected
        self.actual = actual


class WeightsError(SadTalkerError):
    """A weight file is missing, damaged, or does not hold what its name promises."""


class TrackError(SadTalkerError):
    """A track cannot be used: it contains NaN or infinity, does not match another track, or its file has none."""


class ControlError(SadTalkerError):
    """A control or a line of keyframes cannot be used: an unknown name, a value out of range, or bad syntax."""
