"""The strength of a track, and expression and head pose combined in one track."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..checks import check_basis
from ..errors import SadTalkerError
from ..flow import Coefficients, SourceFace
from .matching import stream_of


def scaled_about(stream: Tensor, scale: float, fixed: Tensor) -> Tensor:
    """Scale the distance of rows (T, C) from ``fixed`` (C,) or (1, C): 0 gives ``fixed``, 1 changes nothing."""
    return torch.lerp(fixed.expand_as(stream), stream, scale)  # exact at 0 and at 1


def scale_expression(track: Coefficients, scale: float, own: Tensor) -> Coefficients:
    """Scale the distance of each expression from ``own`` (64,): 0 gives ``own``, 1 changes nothing."""
    return replace(track, expression=scaled_about(stream_of(track, "expression"), scale, own))


def scale_pose(track: Coefficients, scale: float, own: Tensor) -> Coefficients:
    """Scale the distance of each head pose from ``own`` (6,): 0 gives ``own``, 1 changes nothing."""
    return replace(track, pose=scaled_about(stream_of(track, "pose"), scale, own))


def hold_pose(face: SourceFace, frames: int, fps: float) -> Coefficients:
    """The portrait's own pose for ``frames`` frames, as a pose track."""
    return Coefficients(basis=face.basis, fps=fps, pose=face.pose.expand(frames, -1))


def combine(expression: Coefficients, pose: Coefficients) -> Coefficients:
    """One track with the expression stream of the first and the pose stream (and crop) of the second.

    Raises:
        BasisMismatchError: the tracks have different bases.
        SadTalkerError: a stream is missing, or lengths or frame rates differ.
    """
    check_basis("Combine Coefficients", expression.basis, pose.basis)
    if expression.fps != pose.fps:
        raise SadTalkerError(
            f"Both tracks must have the same frame rate, got {expression.fps} (expression) and {pose.fps} (pose). "
            "Feed both networks from the same Audio to Mel node."
        )
    if len(expression) != len(pose):
        raise SadTalkerError(
            f"Both tracks must have the same length, got {len(expression)} frames (expression) and {len(pose)} (pose). "
            "Feed both networks from the same Audio to Mel node."
        )
    return Coefficients(
        basis=pose.basis,
        fps=pose.fps,
        expression=stream_of(expression, "expression"),
        pose=stream_of(pose, "pose"),
        crop=pose.crop,
    )
