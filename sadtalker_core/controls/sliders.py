"""The sliders of the editor and their effect on the face."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite

import torch
from torch import Tensor

from ..errors import ControlError
from ..flow import EXPRESSION_SIZE, Coefficients
from ..tracks.channels import ANGLES
from ..tracks.edit import at_frames
from ..tracks.matching import check_track, stream_of
from .actions import ACTION_NAMES, LID_CLOSER, LID_DIFFERENCE

LARGEST_SLIDER_ANGLE = 30.0
LARGEST_CHANNEL = 10.0
STRONGEST = 1.3
"""Limit for the sum of all controls on one action; above it, pictures tear."""
_CHANNEL = re.compile(r"e(\d{1,2})")


@dataclass(frozen=True, slots=True)
class Control:
    """A slider, given by the strengths of actions at its two ends."""

    meaning: str
    """text of the tooltip"""
    up: Mapping[str, float]
    """strengths at 1"""
    down: Mapping[str, float] = field(default_factory=dict)
    """strengths at -1; empty if the lowest value is 0"""

    @property
    def lowest(self) -> float:
        return -1.0 if self.down else 0.0


CONTROLS: dict[str, Control] = {
    # Emotions by their action units: Ekman and Friesen, "EMFACS", 1983.
    "happy": Control(
        "Joy: mouth corners up, cheeks raised",
        {"lip_corner_puller": 1.0, "cheek_raiser": 0.8, "jaw_drop": 0.08},
    ),
    "sad": Control(
        "Sadness: inner brows up, mouth corners down, eyelids low",
        {
            "inner_brow_raiser": 0.9,
            "brow_lowerer": 0.3,
            "lip_corner_depressor": 0.9,
            "look_up": -0.35,
        },
    ),
    "angry": Control(
        "Anger: brows down and together, eyelids tense, lips pressed",
        {"brow_lowerer": 1.1, "upper_lid_raiser": 0.3, "lid_tightener": 0.8, "lip_tightener": 1.0},
    ),
    "surprised": Control(
        "Surprise: brows up, eyes wide, jaw dropped",
        {"inner_brow_raiser": 0.8, "outer_brow_raiser": 0.8, "upper_lid_raiser": 0.9, "jaw_drop": 0.7},
    ),
    "afraid": Control(
        "Fear: brows up and together, eyes wide, lips stretched",
        {
            "inner_brow_raiser": 1.0,
            "outer_brow_raiser": 0.3,
            "brow_lowerer": 0.3,
            "upper_lid_raiser": 1.0,
            "lip_stretcher": 0.9,
            "jaw_drop": 0.3,
        },
    ),
    "disgusted": Control(
        "Disgust: nose wrinkled, upper lip raised, mouth corners down",
        {"nose_wrinkler": 1.1, "lip_corner_depressor": 0.5, "lid_tightener": 0.5, "brow_lowerer": 0.3},
    ),
    "brows": Control(
        "Brows: 1 raised, -1 lowered",
        {"inner_brow_raiser": 0.8, "outer_brow_raiser": 0.9},
        {"brow_lowerer": 1.0},
    ),
    "brow_slope": Control(
        "Slope of the brows: 1 worried, inner ends up; -1 stern, inner ends down and outer ends up",
        {"inner_brow_raiser": 1.0},
        {"brow_lowerer": 0.5, "outer_brow_raiser": 0.7},
    ),
    "blink": Control(
        "Eyelids: 1 closed, -1 wide open",
        {LID_CLOSER: 1.0},
        {"upper_lid_raiser": 1.0},
    ),
    "wink": Control(
        "Wink: 1 closes the eye on the right of the picture, -1 the eye on the left",
        {LID_CLOSER: 0.5, LID_DIFFERENCE: 0.5},
        {LID_CLOSER: 0.5, LID_DIFFERENCE: -0.5},
    ),
    "squint": Control("Eyes narrowed", {"lid_tightener": 1.0, "cheek_raiser": 0.5}),
    "gaze_x": Control(
        "Look to the side: 1 to the right of the picture, -1 to the left", {"look_right": 1.0}, {"look_right": -1.0}
    ),
    "gaze_y": Control("Look up (1) or down (-1)", {"look_up": 1.0}, {"look_up": -1.0}),
    "smile": Control(
        "Mouth corners: 1 up, -1 down", {"lip_corner_puller": 1.0, "cheek_raiser": 0.3}, {"lip_corner_depressor": 1.0}
    ),
    "jaw": Control("Mouth open", {"jaw_drop": 1.0}),
    "pucker": Control("Lips: 1 rounded as in oo, -1 wide as in ee", {"lip_pucker": 1.0}, {"lip_stretcher": 1.0}),
    "sneer": Control("Nose wrinkled, upper lip raised", {"nose_wrinkler": 1.0}),
}
GAZE = ("gaze_x", "gaze_y")
NAMES = (*CONTROLS, *ANGLES)
"""Names of the sliders."""


def check_value(name: str, value: float) -> float:
    """The value, if it is in the range of the control, head angle (degrees) or channel ``e0`` to ``e63`` of that name.

    Raises:
        ControlError: the name is unknown, or the value is out of range.
    """
    lowest, highest = limits_of(name)
    if not (isfinite(value) and lowest <= value <= highest):
        raise ControlError(f"Expected {name} from {lowest:g} to {highest:g}, got {value:g}.")
    return float(value)


def limits_of(name: str) -> tuple[float, float]:
    """Lowest and highest value of a control, an angle (degrees) or a channel (unit of the basis).

    Raises:
        ControlError: the name is unknown.
    """
    if name in CONTROLS:
        return CONTROLS[name].lowest, 1.0
    if name in ANGLES:
        return -LARGEST_SLIDER_ANGLE, LARGEST_SLIDER_ANGLE
    if channel_of(name) is not None:
        return -LARGEST_CHANNEL, LARGEST_CHANNEL
    raise ControlError(
        f"There is no control '{name}'. The controls are {', '.join(NAMES)}, and the single coefficients e0 to "
        f"e{EXPRESSION_SIZE - 1}."
    )


def channel_of(name: str) -> int | None:
    """The number of the coefficient in a name such as ``e12``; None for other names."""
    match = _CHANNEL.fullmatch(name)
    return int(match[1]) if match and int(match[1]) < EXPRESSION_SIZE else None


def action_strengths(curves: Mapping[str, Tensor]) -> Tensor:
    """Strengths (T, A) of ``ACTION_NAMES``: the sum over the curves (T,) of all sliders, without angles and channels.

    Closing the lids overrides raising them, and no strength exceeds ``STRONGEST``.
    """
    like = next(iter(curves.values()))
    strengths = like.new_zeros(len(like), len(ACTION_NAMES))
    for name, curve in curves.items():
        if name in CONTROLS:
            for side, part in ((CONTROLS[name].up, curve.clamp(min=0)), (CONTROLS[name].down, -curve.clamp(max=0))):
                for action, strength in side.items():
                    strengths[:, ACTION_NAMES.index(action)] += strength * part
    closing = ACTION_NAMES.index(LID_CLOSER)
    strengths[:, closing].clamp_(max=1)
    strengths[:, ACTION_NAMES.index("upper_lid_raiser")] *= 1 - strengths[:, closing]
    return strengths.clamp(-STRONGEST, STRONGEST)


def expression_offset(curves: Mapping[str, Tensor], directions: Tensor | None) -> Tensor:
    """Expression coefficients (T, 64) to add for curves (T,) of controls and channels.

    Args:
        directions: (A, 64) of ``ACTION_NAMES``; None if all sliders are 0.
    """
    like = next(iter(curves.values()))
    offset = like.new_zeros(len(like), EXPRESSION_SIZE)
    if directions is not None:
        offset = offset + action_strengths(curves) @ directions
    for name, curve in curves.items():
        channel = channel_of(name)
        if channel is not None:
            offset[:, channel] += curve
    return offset


def apply_controls(track: Coefficients, curves: Mapping[str, Tensor], directions: Tensor | None) -> Coefficients:
    """Add the change of the controls to a track, frame by frame.

    Args:
        track: a single frame is repeated to the length of the curves.
        curves: (T,) by name of control, angle (degrees) or channel; the values must have been checked.

    Raises:
        TrackError: the track contains NaN or infinity, or has no stream that the controls change.
    """
    check_track(track)
    if not curves:
        return track
    frames = len(next(iter(curves.values())))
    if len(track) == 1 and frames > 1:
        track = at_frames(track, torch.zeros(frames, dtype=torch.long))
    offset = expression_offset(curves, directions)
    if bool(offset.any()):
        expression = stream_of(track, "expression")
        track = replace(track, expression=expression + offset.to(expression))
    turns = [curves.get(name) for name in ANGLES]
    if any(turn is not None and bool(turn.any()) for turn in turns):
        pose = stream_of(track, "pose").clone()
        for column, turn in enumerate(turns):
            if turn is not None:
                pose[:, column] += turn.to(pose).deg2rad()
        track = replace(track, pose=pose)
    return track


def gaze_asked_for(curves: Mapping[str, Tensor]) -> list[str]:
    """The gaze sliders that are not 0 in all frames; a pack without irises among its vertices cannot use them."""
    return [name for name in GAZE if name in curves and bool(curves[name].any())]
