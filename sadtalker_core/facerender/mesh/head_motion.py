"""How points in and around the face follow it: the head's rigid motion plus the face's own deformation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...face3d.alignment import Similarity, similarity_between
from ...face3d.regions import STABLE


@dataclass(frozen=True, slots=True)
class HeadMotion:
    """The motion of a batch of frames against the source; pixels of the cropped picture, z negative to the camera."""

    rigid: Similarity
    """source to driving frame, from points that expressions hardly move"""
    residual: Tensor
    """(B, 478, 3) what remains of each vertex's motion: the expression"""

    def plane(self, depth: float) -> tuple[Tensor, Tensor]:
        """The rigid motion of the source plane z = ``depth``: matrix (B, 2, 2) and offset (B, 2) on x, y."""
        matrix = self.rigid.scale[:, None, None] * self.rigid.rotation[:, :2, :]
        return matrix[:, :, :2], matrix[:, :, 2] * depth + self.rigid.translation[:, :2]


@dataclass(frozen=True, slots=True)
class Anchors:
    """Points of the source picture, and what each of them follows."""

    position: Tensor
    """(N, 3) in the source"""
    follow: Tensor
    """(N,) share of the head's rigid motion: 1 on the head, 0 on the background"""
    residual: Tensor
    """(N, 478) share of each vertex's residual motion"""

    def place(self, motion: HeadMotion) -> Tensor:
        """Where the points are in the driving frames, (B, N, 3)."""
        moved = motion.rigid.apply(self.position[None]) - self.position
        return self.position + self.follow[:, None] * moved + self.residual @ motion.residual


def head_motion(source: Tensor, driving: Tensor) -> HeadMotion:
    """Split the motion from ``source`` (478, 3) to ``driving`` (B, 478, 3)."""
    stable = list(STABLE)
    rigid = similarity_between(source[None, stable], driving[:, stable])
    return HeadMotion(rigid, driving - rigid.apply(source[None]))


def join_anchors(parts: list[Anchors]) -> Anchors:
    """All points of ``parts``, in order."""
    return Anchors(
        torch.cat([part.position for part in parts]),
        torch.cat([part.follow for part in parts]),
        torch.cat([part.residual for part in parts]),
    )


def face_anchors(position: Tensor, vertices: list[int] | range) -> Anchors:
    """Points at ``position`` (N, 3) that move like the face vertices of those numbers."""
    residual = torch.zeros(len(vertices), 478, device=position.device)
    residual[torch.arange(len(vertices)), torch.tensor(list(vertices))] = 1.0
    return Anchors(position, torch.ones(len(vertices), device=position.device), residual)
