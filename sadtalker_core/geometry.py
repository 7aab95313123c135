"""Least-squares rigid alignment of point sets, and Euler angles. Batched, on the device of the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Similarity:
    """``x -> scale * rotation @ x + translation``, one for each row of a batch."""

    scale: Tensor
    """(B,) > 0"""
    rotation: Tensor
    """(B, 3, 3), determinant +1"""
    translation: Tensor
    """(B, 3)"""

    def apply(self, points: Tensor) -> Tensor:
        """Map points (B, N, 3) or (1, N, 3)."""
        turned = points @ self.rotation.transpose(1, 2)
        return self.scale[:, None, None] * turned + self.translation[:, None, :]

    def enlarged(self, factor: float) -> Similarity:
        """The same, with what it maps to ``factor`` times as large."""
        return Similarity(self.scale * factor, self.rotation, self.translation * factor)

    def invert(self, points: Tensor) -> Tensor:
        """Map points (B, N, 3) back."""
        return (points - self.translation[:, None, :]) @ self.rotation / self.scale[:, None, None]


def similarity_between(source: Tensor, target: Tensor) -> Similarity:
    """Similarity that maps ``source`` (B, N, 3) or (1, N, 3) closest to ``target`` (B, N, 3), least squares.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.
    """
    source = source.expand(target.shape[0], -1, -1)
    source_mean, target_mean = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    a, b = source - source_mean, target - target_mean
    u, singular, vh = torch.linalg.svd(b.transpose(1, 2) @ a)  # (B, 3, 3), (B, 3), (B, 3, 3)
    signs = torch.ones_like(singular)
    signs[:, 2] = torch.sign(torch.linalg.det(u @ vh))  # a mirror image is not a rotation
    rotation = (u * signs[:, None, :]) @ vh
    scale = (singular * signs).sum(1) / a.square().sum((1, 2)).clamp_min(1e-12)
    translation = target_mean[:, 0] - scale[:, None] * (source_mean @ rotation.transpose(1, 2))[:, 0]
    return Similarity(scale, rotation, translation)


def rotation_from_angles(angles: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) = Rx(pitch) Ry(yaw) Rz(roll) from angles (B, 3) in radians."""
    cos, sin = torch.cos(angles), torch.sin(angles)
    (cx, cy, cz), (sx, sy, sz) = cos.unbind(-1), sin.unbind(-1)
    rows = (
        torch.stack((cy * cz, -cy * sz, sy), -1),
        torch.stack((cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy), -1),
        torch.stack((sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy), -1),
    )
    return torch.stack(rows, -2)


def angles_from_rotation(rotation: Tensor) -> Tensor:
    """Angles (B, 3) pitch, yaw, roll in radians of rotation matrices (B, 3, 3); inverse of ``rotation_from_angles``.

    Yaw lies in [-pi/2, pi/2]; a head seen from behind has no unique answer.
    """
    yaw = torch.asin(rotation[:, 0, 2].clamp(-1, 1))
    pitch = torch.atan2(-rotation[:, 1, 2], rotation[:, 2, 2])
    roll = torch.atan2(-rotation[:, 0, 1], rotation[:, 0, 0])
    return torch.stack((pitch, yaw, roll), -1)
