"""Vertices around the face: hair, ears, neck and shoulders, and the border of the picture that stands still."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from ...face3d.regions import FACE_OVAL
from .head_motion import Anchors

Array = NDArray[np.float64]

_RINGS = (1.05, 1.12, 1.2, 1.3, 1.42, 1.56, 1.72, 1.92, 2.15, 2.4, 2.7, 3.0)
"""Radii of the rings of vertices, in radii of the face's outline."""
_BORDER_STEPS = 16
_SIDE = (1.35, 2.6)
"""The head moves as one piece up to the first radius; the picture stands still from the second on."""
_TOP = (1.5, 2.8)
_BOTTOM = (1.0, 2.3)
_RESIDUAL_REACH = 0.3
"""How far outside the outline the cheeks and the chin still drag skin along, in radii."""
_HEAD_DEPTH = 0.45
"""How far the head's silhouette lies behind the outline of the face mesh, in face widths."""
_BORDER_MARGIN = 0.35
"""Motion fades within this distance from the picture's border, in face widths."""


def surrounding_anchors(landmarks: torch.Tensor, width: int, height: int) -> tuple[Anchors, torch.Tensor]:
    """Vertices outside the face, and the triangles that join them to it.

    Args:
        landmarks: (478, 3) of the source.

    Returns:
        Anchors of N vertices; triangles (T, 3): numbers below 478 are face vertices, 478 + n is vertex n. Triangles
        that cannot move are left out.
    """
    points = landmarks.cpu().double().numpy()
    oval = points[list(FACE_OVAL)]
    centre = oval.mean(0)
    rings = np.concatenate([centre[:2] + (oval[:, :2] - centre[:2]) * radius for radius in _RINGS])
    inside = (rings > 2).all(1) & (rings < np.array((width - 2, height - 2))).all(1)
    steps_x, steps_y = np.linspace(0, width, _BORDER_STEPS + 1), np.linspace(0, height, _BORDER_STEPS + 1)
    border = [(x, y) for x in steps_x for y in (0, height)] + [(x, y) for y in steps_y[1:-1] for x in (0, width)]
    outer = np.concatenate((rings[inside], np.array(border)))

    radius, up = _polar(outer, oval)
    follow = _follow(radius, up) * _border_factor(outer, oval, width, height)
    residual, depth = _residual(outer, oval, radius), _depth(outer, points, oval, radius)
    anchors = Anchors(
        torch.from_numpy(np.column_stack((outer, depth))).to(landmarks),
        torch.from_numpy(follow).to(landmarks),
        torch.from_numpy(residual * np.minimum(1, follow * 2)[:, None]).to(landmarks),
    )
    moves = np.concatenate((np.ones(len(oval), bool), follow > 1e-4))
    triangles = _triangulate(oval[:, :2], outer, moves)
    return anchors, triangles.to(landmarks.device)


def _polar(outer: Array, oval: Array) -> tuple[Array, Array]:
    """Distance from the face's centre in radii of its outline, and how far up (1) or down (-1) the direction points."""
    centre = oval[:, :2].mean(0)
    upward = oval[0, :2] - oval[18, :2]
    upward = upward / np.linalg.norm(upward)
    across = np.array((-upward[1], upward[0]))
    spread, offset = oval[:, :2] - centre, outer - centre
    half = np.array((np.abs(spread @ across).max(), np.abs(spread @ upward).max()))
    local = np.column_stack((offset @ across, offset @ upward)) / half
    radius = np.linalg.norm(local, axis=1)
    return radius, local[:, 1] / np.maximum(radius, 1e-6)


def _follow(radius: Array, up: Array) -> Array:
    towards = np.clip(up, 0, 1)[:, None] ** 2, np.clip(-up, 0, 1)[:, None] ** 2
    span = np.array(_SIDE) + towards[0] * (np.array(_TOP) - _SIDE) + towards[1] * (np.array(_BOTTOM) - _SIDE)
    return 1 - _smooth((radius - span[:, 0]) / (span[:, 1] - span[:, 0]))


def _border_factor(outer: Array, oval: Array, width: int, height: int) -> Array:
    margin = _BORDER_MARGIN * np.ptp(oval[:, 0])
    room = np.minimum(outer, np.array((width, height)) - outer).min(1)
    return _smooth(room / margin)


def _residual(outer: Array, oval: Array, radius: Array) -> Array:
    size = np.ptp(oval[:, 0])
    distance = np.linalg.norm(outer[:, None] - oval[None, :, :2], axis=2)
    near = np.exp(-((distance - distance.min(1, keepdims=True)) / (0.12 * size)))
    near /= near.sum(1, keepdims=True)
    reach = np.exp(-((np.maximum(radius - 1, 0) / _RESIDUAL_REACH) ** 2))
    weights = np.zeros((len(outer), 478))
    weights[:, list(FACE_OVAL)] = near * reach[:, None]
    return weights


def _depth(outer: Array, points: Array, oval: Array, radius: Array) -> Array:
    size = np.ptp(oval[:, 0])
    distance = np.linalg.norm(outer[:, None] - oval[None, :, :2], axis=2)
    near = 1 / (distance**2 + (0.05 * size) ** 2)
    edge = (near * oval[:, 2]).sum(1) / near.sum(1)
    back = points[[127, 356, 234, 454], 2].mean() + _HEAD_DEPTH * size
    return edge + (np.maximum(back, edge) - edge) * _smooth((radius - 1) / 0.5)


def _triangulate(oval: Array, outer: Array, moves: NDArray[np.bool_]) -> torch.Tensor:
    triangles = Delaunay(np.concatenate((oval, outer))).simplices
    count = len(oval)
    in_face = (triangles < count).all(1)
    triangles = triangles[~in_face & moves[triangles].any(1)]
    numbers = np.concatenate((np.array(FACE_OVAL), 478 + np.arange(len(outer))))
    return torch.from_numpy(numbers[triangles].astype(np.int64))


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
