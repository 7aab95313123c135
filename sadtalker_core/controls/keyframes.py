"""Keyframes as text -> curves of controls over time.

One line for each keyframe: a time, then values of any controls, such as

    0.0  happy=0
    1.5s happy=0.8 brows=0.3
    75f  happy=0.2  # frame 75

A time is in seconds, or a frame number if an f follows it. Empty lines, and text after a #, are ignored. The value of a
control changes smoothly between the lines that name it. Before the first of them it has the first value, after the last
of them the last value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator
from torch import Tensor

from ..errors import ControlError
from .sliders import check_value

MAX_LINES = 10_000
LATEST_KEYFRAME_SECONDS = 36_000.0
_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(s|f?)")
_EXAMPLE = "1.5 happy=0.8 brows=0.3"


@dataclass(frozen=True, slots=True)
class Keyframe:
    """Values of some controls at one time."""

    seconds: float
    values: dict[str, float]


def read_keyframes(text: str, fps: float) -> list[Keyframe]:
    """Read the keyframes of a text, in the order of time; an empty text has none.

    Raises:
        ControlError: a line cannot be read, names an unknown control, has a value out of range or a time that another
            line has; the message names the line.
    """
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise ControlError(f"Expected at most {MAX_LINES} lines of keyframes, got {len(lines)}.")
    found: dict[float, tuple[int, Keyframe]] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            keyframe = _keyframe(words, fps)
        except ControlError as error:
            raise ControlError(f"Keyframes, line {number}: {error}") from error
        if keyframe.seconds in found:
            earlier = found[keyframe.seconds][0]
            raise ControlError(
                f"Keyframes, line {number}: line {earlier} has the same time. Put all values for one time on one line."
            )
        found[keyframe.seconds] = (number, keyframe)
    return [found[seconds][1] for seconds in sorted(found)]


def last_frame(keyframes: list[Keyframe], fps: float) -> int:
    """Number of the frame of the last keyframe; 0 without keyframes."""
    return round(keyframes[-1].seconds * fps) if keyframes else 0


def curves_of(keyframes: list[Keyframe], frames: int, fps: float) -> dict[str, Tensor]:
    """The curves (frames,) float32 of all controls that the keyframes name.

    A curve is a cubic between two values and never goes beyond them. Its slope is 0 at the first value, at the last
    value and at turning points (Fritsch and Carlson, 1980).
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for keyframe in keyframes:
        for name, value in keyframe.values.items():
            points.setdefault(name, []).append((keyframe.seconds, value))
    times = torch.arange(frames, dtype=torch.float64) / fps
    return {name: _curve(given, times) for name, given in points.items()}


def _curve(points: list[tuple[float, float]], times: Tensor) -> Tensor:
    seconds, values = ([float(number) for number in column] for column in zip(*points, strict=True))
    if len(points) == 1:
        return torch.full(times.shape, values[0])
    slopes = PchipInterpolator(seconds, values).derivative()(seconds)
    slopes[[0, -1]] = 0.0
    curve = CubicHermiteSpline(seconds, values, slopes)(times.clamp(seconds[0], seconds[-1]).numpy())
    return torch.from_numpy(curve).float().clamp(min(values), max(values))  # rounding


def _keyframe(words: list[str], fps: float) -> Keyframe:
    time = _TIME.fullmatch(words[0])
    if time is None:
        raise ControlError(
            f"expected a time at the start, in seconds such as 1.5 or as a frame such as 30f, got '{words[0]}'. "
            f"Example: {_EXAMPLE}"
        )
    seconds = float(time[1]) / (fps if time[2] == "f" else 1.0)
    if seconds > LATEST_KEYFRAME_SECONDS:
        raise ControlError(f"expected a time up to {LATEST_KEYFRAME_SECONDS:g} seconds, got {seconds:g}.")
    values: dict[str, float] = {}
    for word in words[1:]:
        name, equals, number = word.partition("=")
        try:
            value = float(number)
        except ValueError as error:
            raise ControlError(f"expected name=value, got '{word}'. Example: {_EXAMPLE}") from error
        if name in values:
            raise ControlError(f"{name} is given twice.")
        values[name] = check_value(name, value)
    if not values:
        raise ControlError(f"the time has no values. Example: {_EXAMPLE}")
    return Keyframe(seconds, values)
