"""Arithmetic on coefficient tracks: scale, hold, combine."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .checks import check_basis
from .errors import SadTalkerError
from .flow import Coefficients


def scale_expression(track: Coefficients, scale: float, reference: Coefficients | None) -> Coefficients:
    """Scale the distance of each expression from the portrait's own: 0 keeps the portrait's face, 1 changes nothing.

    Args:
        track: with an expression stream (T, 64).
        reference: one frame, the portrait's coefficients, same basis; None scales the distance from the mean face, as
            the reference implementation does.
    """
    expression = _stream(track, "expression")
    fixed = torch.zeros_like(expression[:1]) if reference is None else _stream(reference, "expression")
    return replace(track, expression=_scale(expression, scale, fixed))


def scale_pose(track: Coefficients, scale: float, reference: Coefficients) -> Coefficients:
    """Scale the distance of each head pose from the portrait's own: 0 holds still, 1 changes nothing."""
    return replace(track, pose=_scale(_stream(track, "pose"), scale, _stream(reference, "pose")))


def hold_pose(reference: Coefficients, frames: int, fps: float) -> Coefficients:
    """The portrait's own pose for ``frames`` frames, as a pose track."""
    pose = _stream(reference, "pose")[:1].expand(frames, -1)
    return Coefficients(basis=reference.basis, fps=fps, pose=pose)


def combine(expression: Coefficients, pose: Coefficients) -> Coefficients:
    """One track with the expression stream of the first and the pose stream (and crop) of the second.

    Raises:
        BasisMismatchError: the tracks live in different bases.
        SadTalkerError: a stream is missing, or lengths or frame rates differ.
    """
    check_basis("Combine Coefficients", expression.basis, pose.basis)
    if expression.fps != pose.fps:
        raise SadTalkerError(
            f"Both tracks need one frame rate, got {expression.fps} (expression) and {pose.fps} (pose). "
            "Feed both networks from the same Audio to Mel node."
        )
    if len(expression) != len(pose):
        raise SadTalkerError(
            f"Both tracks need one length, got {len(expression)} frames (expression) and {len(pose)} (pose). "
            "Feed both networks from the same Audio to Mel node."
        )
    return Coefficients(
        basis=pose.basis,
        fps=pose.fps,
        expression=_stream(expression, "expression"),
        pose=_stream(pose, "pose"),
        crop=pose.crop,
    )


def _stream(track: Coefficients, name: str) -> Tensor:
    stream: Tensor | None = getattr(track, name)
    if stream is None:
        raise SadTalkerError(f"This track has no {name} stream. Connect the output of the stage that predicts it.")
    return stream


def _scale(stream: Tensor, scale: float, reference: Tensor) -> Tensor:
    return torch.lerp(reference[:1].expand_as(stream), stream, scale)  # exact at 0 and at 1
