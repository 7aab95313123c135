"""Arithmetic on one track: strength, direction, smoothness, speed and length."""

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
"""What follows the end of a track. hold: its last frame stays; loop: it repeats from its start; ping-pong: it runs
backwards and forwards."""
SLOWEST, FASTEST = 0.1, 10.0
MAX_FRAMES = 1_000_000
"""Eleven hours at 25 frames per second; a larger number is a typing error."""


@dataclass(frozen=True, slots=True)
class TrackEdit:
    """The changes to make, in this order; the defaults change nothing."""

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
    """2 plays the track in half the time"""
    fps: float = 0.0
    """frames per second of the result; 0 keeps the frame rate of the track"""
    frames: int = 0
    """number of frames of the result; 0 keeps the length that the other changes give"""
    extension: str = "hold"
    """one of ``EXTENSIONS``: what follows the end if ``frames`` is larger than the length"""


def edit_track(track: Coefficients, edit: TrackEdit, portrait: Coefficients | None = None) -> Coefficients:
    """Apply an edit to a track.

    Args:
        portrait: one frame, the result of a scale of 0; None takes the first frame of the track.

    Raises:
        TrackError: the track contains NaN or infinity, or has no stream that the edit changes, or a change is out of
            range.
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
    """Add angles in degrees to the head pose in every frame."""
    pose = stream_of(track, "pose")
    offset = pose.new_tensor([math.radians(pitch), math.radians(yaw), math.radians(roll), 0, 0, 0])
    return replace(track, pose=pose + offset)


def smooth(stream: Tensor, frames: float) -> Tensor:
    """Average each row of a stream (T, C) with its neighbours, with the weights of a Hann window of ``frames`` frames.

    Beyond its ends the stream is continued with its first and its last row.
    """
    radius = int(frames / 2)
    if radius == 0:
        return stream
    window = torch.hann_window(2 * radius + 3, periodic=False, device=stream.device, dtype=stream.dtype)[1:-1]
    padded = F.pad(stream.T[:, None], (radius, radius), mode="replicate")  # (C, 1, T + 2 radius)
    return F.conv1d(padded, (window / window.sum())[None, None])[:, 0].T.contiguous()


def change_speed(track: Coefficients, speed: float) -> Coefficients:
    """Play a motion ``speed`` times as fast, at the same frame rate.

    Raises:
        TrackError: ``speed`` is outside ``SLOWEST`` to ``FASTEST``.
    """
    if not SLOWEST <= speed <= FASTEST:
        raise TrackError(f"Expected a speed from {SLOWEST:g} to {FASTEST:g}, got {speed}.")
    return _at_steps(track, speed)


def resample(track: Coefficients, fps: float) -> Coefficients:
    """Bring a motion to another frame rate, at the same speed, by linear interpolation between frames.

    The first frame stays the first. A rest at the end that is shorter than a frame is dropped.
    """
    return replace(_at_steps(track, track.fps / fps), fps=fps)


def extend(track: Coefficients, frames: int, extension: str) -> Coefficients:
    """A track cut or lengthened to ``frames`` frames.

    Args:
        extension: one of ``EXTENSIONS``: what follows the end of a track that is too short.

    Raises:
        TrackError: ``extension`` is unknown, or ``frames`` is outside 1 to ``MAX_FRAMES``.
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
    """The frames of a track with the given numbers (N,) int64, in that order."""
    return replace(track, **{name: stream[frames.to(stream.device)] for name, stream in streams_of(track).items()})


def steps(frames: int, step: float) -> Tensor:
    """Positions 0, step, 2 step ... float64 within ``frames`` frames, up to the end of the last frame."""
    count = max(1, int(frames / step + 1e-6))  # rounding may put an exact ratio just below its whole number
    if count > MAX_FRAMES:
        raise TrackError(f"The result would have {count} frames, more than {MAX_FRAMES}.")
    return torch.arange(count, dtype=torch.float64) * step


def _at_steps(track: Coefficients, step: float) -> Coefficients:
    if step == 1:
        return track
    position = steps(len(track), step)
    return replace(track, **{name: at_times(stream, position) for name, stream in streams_of(track).items()})
