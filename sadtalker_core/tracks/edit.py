"""Arithmetic on one track: how strong, where to, how smooth, how fast, how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import TrackError
from ..flow import Coefficients
from ..time_series import at_times
from .matching import check_track, stream_of, streams_of
from .scale import scale_expression, scale_pose

EXTENSIONS = ("hold", "loop", "ping-pong")
"""How a track goes on after its end. hold: its last frame stays; loop: it starts again; ping-pong: it runs back and
forth."""
SLOWEST, FASTEST = 0.1, 10.0
MAX_FRAMES = 1_000_000
"""Eleven hours at 25 frames a second; more is a typing error."""


@dataclass(frozen=True, slots=True)
class TrackEdit:
    """What to change; the defaults change nothing. The changes are made in this order."""

    expression_scale: float = 1.0
    pose_scale: float = 1.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    """degrees added to the head's angles"""
    expression_smoothing: float = 0.0
    pose_smoothing: float = 0.0
    """seconds over which each frame is averaged"""
    speed: float = 1.0
    """2 runs through the track in half the time"""
    fps: float = 0.0
    """frames a second of the result; 0 keeps the track's"""
    frames: int = 0
    """of the result; 0 keeps what the other changes give"""
    extension: str = "hold"
    """one of ``EXTENSIONS``: what follows where ``frames`` are more"""


def edit_track(track: Coefficients, edit: TrackEdit, portrait: Coefficients | None = None) -> Coefficients:
    """A track with changes.

    Args:
        portrait: one frame, what a scale of 0 gives; None takes the track's own first frame.

    Raises:
        TrackError: the track holds what is no number, lacks a stream that is to change, or a change is out of range.
    """
    check_track(track)
    fixed = portrait or at_frames(track, torch.tensor([0]))
    if edit.expression_scale != 1:
        track = scale_expression(track, edit.expression_scale, stream_of(fixed, "expression")[0])
    if edit.pose_scale != 1:
        track = scale_pose(track, edit.pose_scale, stream_of(fixed, "pose")[0])
    if edit.pitch or edit.yaw or edit.roll:
        track = offset_angles(track, edit.pitch, edit.yaw, edit.roll)
    for name, seconds in (("expression", edit.expression_smoothing), ("pose", edit.pose_smoothing)):
        if seconds:
            track = replace(track, **{name: smooth(stream_of(track, name), seconds * track.fps)})
    track = change_speed(track, edit.speed)
    track = resample(track, edit.fps or track.fps)
    return extend(track, edit.frames or len(track), edit.extension)


def offset_angles(track: Coefficients, pitch: float, yaw: float, roll: float) -> Coefficients:
    """Add degrees to the head's angles in every frame."""
    pose = stream_of(track, "pose")
    offset = pose.new_tensor([math.radians(pitch), math.radians(yaw), math.radians(roll), 0, 0, 0])
    return replace(track, pose=pose + offset)


def smooth(stream: Tensor, frames: float) -> Tensor:
    """Each row of a stream (T, C) averaged with those around it, under a Hann window of so many frames.

    The first and the last row count as if they lasted.
    """
    reach = int(frames / 2)
    if reach == 0:
        return stream
    window = torch.hann_window(2 * reach + 3, periodic=False, device=stream.device, dtype=stream.dtype)[1:-1]
    padded = F.pad(stream.T[:, None], (reach, reach), mode="replicate")  # (C, 1, T + 2 reach)
    return F.conv1d(padded, (window / window.sum())[None, None])[:, 0].T.contiguous()


def change_speed(track: Coefficients, speed: float) -> Coefficients:
    """The same motion in a time divided by ``speed``, at the same frame rate.

    Raises:
        TrackError: the speed is out of its range.
    """
    if not SLOWEST <= speed <= FASTEST:
        raise TrackError(f"Expected a speed from {SLOWEST:g} to {FASTEST:g}, got {speed}.")
    return _at_steps(track, speed)


def resample(track: Coefficients, fps: float) -> Coefficients:
    """The same motion in the same time at another frame rate; frames between two are interpolated.

    The first frame stays the first; a rest shorter than a frame is dropped.
    """
    return replace(_at_steps(track, track.fps / fps), fps=fps)


def extend(track: Coefficients, frames: int, extension: str) -> Coefficients:
    """A track cut or lengthened to ``frames`` frames.

    Args:
        extension: one of ``EXTENSIONS``: what follows the end of a track that is too short.

    Raises:
        TrackError: ``extension`` is unknown, or ``frames`` is out of its range.
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise TrackError(f"Expected 1 to {MAX_FRAMES} frames, got {frames}.")
    if extension not in EXTENSIONS:
        raise TrackError(f"The extension must be one of {', '.join(EXTENSIONS)}; got '{extension}'.")
    if frames == len(track):
        return track
    return at_frames(track, continuation(len(track), frames, extension))


def continuation(length: int, frames: int, extension: str) -> Tensor:
    """Numbers (frames,) int64 of the frames to show, in order, when a track of ``length`` frames is extended."""
    wanted, last = torch.arange(frames), length - 1
    if extension == "loop":
        wanted = wanted % length
    elif extension == "ping-pong" and last > 0:
        wanted = last - (last - wanted % (2 * last)).abs()
    return wanted.clamp(max=last)


def at_frames(track: Coefficients, frames: Tensor) -> Coefficients:
    """The given frames (N,) int64 of a track, in that order."""
    return replace(track, **{name: stream[frames.to(stream.device)] for name, stream in streams_of(track).items()})


def steps(frames: int, step: float) -> Tensor:
    """Places 0, step, 2 step ... within so many frames, the time of the last one included, float64."""
    count = max(1, int(frames / step + 1e-6))  # an exact ratio may come out a hair below its whole number
    if count > MAX_FRAMES:
        raise TrackError(f"The result would have {count} frames, more than {MAX_FRAMES}.")
    return torch.arange(count, dtype=torch.float64) * step


def _at_steps(track: Coefficients, step: float) -> Coefficients:
    if step == 1:
        return track
    position = steps(len(track), step)
    return replace(track, **{name: at_times(stream, position) for name, stream in streams_of(track).items()})
