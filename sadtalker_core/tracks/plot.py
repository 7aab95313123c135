"""A track as a picture: curves over time, with the sound below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..errors import TrackError
from ..flow import SAMPLE_RATE, Waveform
from ..pictures.levels import pictures_of
from .channels import ANGLES, OPENINGS, PLACES, Channels

MIN_WIDTH, MIN_HEIGHT, MAX_SIDE = 512, 256, 4096
"""Smallest width and height, and largest side, of a readable plot, in pixels."""
_SHARPNESS = 2
"""The plot is drawn this many times larger and then reduced, for smooth lines."""
_FONT_SIZE = 13
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 60, 18, 8, 26, 24
"""Margins in pixels around the panels, and the gap between panels for a title."""
_PAPER, _PANEL, _GRID, _INK, _FAINT = "#17181c", "#202228", "#343842", "#e6e8ec", "#9aa1ad"
_COLOURS = {
    "pitch": "#f2b134", "yaw": "#4fc3f7", "roll": "#ef6f6c",
    "x": "#4fc3f7", "y": "#f2b134", "z": "#b388eb",
    "mouth_opening": "#ff8fa3", "eye_opening": "#8bd450", "expression": "#ff8fa3",
}  # fmt: skip
_SOUND = "#5c93c9"
_GROUPS = (
    ("Head, degrees", ANGLES),
    ("Place of the head", PLACES),
    ("Mouth and eyes", OPENINGS),
    ("Face, distance from the first frame", ("expression",)),
)


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    curves: Mapping[str, Tensor]
    """curves (T,); empty for the panel of the sound"""
    top: int
    bottom: int
    """pixels"""


def plot_channels(
    channels: Channels, waveform: Waveform | None = None, *, width: int = 1024, height: int = 512
) -> Tensor:
    """Draw named curves over time, and the sound below on the same time axis; RGB picture (3, height, width) in [0, 1].

    Raises:
        TrackError: there is nothing to draw, or the size is out of range.
    """
    if not (MIN_WIDTH <= width <= MAX_SIDE and MIN_HEIGHT <= height <= MAX_SIDE):
        raise TrackError(
            f"Expected a plot from {MIN_WIDTH}x{MIN_HEIGHT} to {MAX_SIDE}x{MAX_SIDE} pixels, got {width}x{height}."
        )
    if not channels.curves or len(channels) == 0:
        raise TrackError("The track has no frames to draw.")
    seconds = max(len(channels) / channels.fps, 0.0 if waveform is None else waveform.seconds)
    canvas = _Canvas(width, height, seconds)
    panels = _panels(channels, waveform, height)
    for panel in panels:
        canvas.frame(panel)
    for panel in panels:
        if panel.curves:
            canvas.curves(panel, channels.fps)
        elif waveform is not None:
            canvas.sound(panel, waveform)
    canvas.seconds_below(panels[-1].bottom)
    return canvas.picture()


def round_step(span: float, most: int) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that divides ``span`` > 0 into at most ``most`` parts."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(step * power for step in (1, 2, 5, 10) if span / (step * power) <= most + 1e-9)


def _panels(channels: Channels, waveform: Waveform | None, height: int) -> list[_Panel]:
    groups = [(title, {name: channels.curves[name] for name in names if name in channels.curves})
              for title, names in _GROUPS]  # fmt: skip
    contents = [(title, curves) for title, curves in groups if curves]
    if waveform is not None:
        contents.append(("Sound", {}))
    room = (height - _TOP - _BOTTOM) / len(contents)
    tops = [round(_TOP + index * room) for index in range(len(contents) + 1)]
    return [
        _Panel(title, curves, tops[index] + _GAP, tops[index + 1] - 6) for index, (title, curves) in enumerate(contents)
    ]


class _Canvas:
    """A picture that is being drawn; all arguments are in pixels of the finished picture."""

    def __init__(self, width: int, height: int, seconds: float) -> None:
        self.width, self.height, self.seconds = width, height, seconds
        self.image = Image.new("RGB", (width * _SHARPNESS, height * _SHARPNESS), _PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(_FONT_SIZE * _SHARPNESS)
        self.right = width - _RIGHT

    def across(self, second: float) -> float:
        """Horizontal position of a moment."""
        return _LEFT + (self.right - _LEFT) * second / self.seconds

    def line(self, points: Sequence[tuple[float, float]], colour: str, thick: float = 1.0) -> None:
        scaled = [(x * _SHARPNESS, y * _SHARPNESS) for x, y in points]
        self.pen.line(scaled, colour, round(thick * _SHARPNESS), joint="curve")

    def text(self, x: float, y: float, words: str, colour: str, anchor: str) -> float:
        """Write a text; returns the horizontal position of its end."""
        self.pen.text((x * _SHARPNESS, y * _SHARPNESS), words, colour, self.font, anchor)
        return x + self.pen.textlength(words, self.font) / _SHARPNESS

    def frame(self, panel: _Panel) -> None:
        """Draw the background, the time grid, the title and the names of the curves."""
        corners = (_LEFT, panel.top, self.right, panel.bottom)
        self.pen.rectangle([corner * _SHARPNESS for corner in corners], _PANEL)
        for second in self.marks():
            self.line([(self.across(second), panel.top), (self.across(second), panel.bottom)], _GRID)
        end = self.text(_LEFT, panel.top - 5, panel.title, _INK, "ls")
        for name in panel.curves:
            end = self.text(end + 18, panel.top - 5, name.replace("_", " "), _COLOURS[name], "ls")

    def curves(self, panel: _Panel, fps: float) -> None:
        """Draw the curves of a panel, on one scale."""
        together = torch.cat(list(panel.curves.values()))
        low, high = float(together.min()), float(together.max())
        spread = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-3)  # a constant curve must not fill the panel
        low, high = (low + high - 1.1 * spread) / 2, (low + high + 1.1 * spread) / 2
        unit = (panel.bottom - panel.top) / (high - low)
        step = round_step(high - low, max(3, (panel.bottom - panel.top) // 16))
        for mark in range(math.ceil(low / step), math.floor(high / step) + 1):
            y = panel.bottom - (mark * step - low) * unit
            self.line([(_LEFT, y), (self.right, y)], _GRID)
            self.text(_LEFT - 6, y, f"{mark * step:.6g}", _FAINT, "rm")
        for name, curve in panel.curves.items():
            points = [
                (self.across((frame + 0.5) / fps), panel.bottom - (value - low) * unit)
                for frame, value in enumerate(curve.tolist())
            ]
            if len(points) == 1:
                points = [(_LEFT, points[0][1]), (self.right, points[0][1])]
            self.line(points, _COLOURS[name], 1.5)

    def sound(self, panel: _Panel, waveform: Waveform) -> None:
        """Draw the lowest and highest sample in each column of pixels."""
        samples = waveform.samples.cpu().numpy()
        middle, half = (panel.top + panel.bottom) / 2, (panel.bottom - panel.top) / 2
        loudest = max(float(np.abs(samples).max()), 1e-3)
        edges = np.arange(_LEFT, self.right + 1) - _LEFT
        starts = (edges / (self.right - _LEFT) * self.seconds * SAMPLE_RATE).astype(np.int64)
        for column, (start, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
            part = samples[start : max(end, start + 1)]
            if part.size:
                x = _LEFT + column + 0.5
                low, high = (middle - half * float(value) / loudest for value in (part.min(), part.max()))
                self.line([(x, high - 0.5), (x, low + 0.5)], _SOUND)

    def seconds_below(self, y: float) -> None:
        """Write the times at the grid lines."""
        for second in self.marks():
            self.text(self.across(second), y + 15, f"{second:.6g} s", _FAINT, "ms" if second else "ls")

    def marks(self) -> list[float]:
        """Times of the grid lines in seconds."""
        step = round_step(self.seconds, max(2, self.width // 90))
        return [index * step for index in range(math.floor(self.seconds / step + 1e-9) + 1)]

    def picture(self) -> Tensor:
        small = self.image.resize((self.width, self.height), Image.Resampling.BOX)
        return pictures_of(np.array(small))
