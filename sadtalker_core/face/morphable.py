"""The open pack's 3DMM: S = S_mean + U_id alpha + U_exp beta over the 478 vertices of the face mesh.

Canonical frame: x to the picture's right, y up, z towards the camera; the unit is the distance between the outer
eye corners of the mean shape. The camera is a weak perspective one: pixels = scale * R (S) + t, in a picture frame
with the same axes (y up), whose origin is the picture's centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import BasisMismatchError
from ..files.read import load_strictly, read_safetensors
from ..flow import EXPRESSION_SIZE, IDENTITY_SIZE, SourceFace
from ..geometry import Similarity, angles_from_rotation, rotation_from_angles, similarity_between
from .regions import STABLE

VERTICES = 478
CAMERA_DISTANCE = 10.0
"""Nominal distance between camera and head in canonical units; turns a z translation into a change of scale."""
_LANDMARK_NOISE = 0.01
"""Standard deviation of the landmarker per coordinate, canonical units: what the fit does not try to explain."""
_FIT_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class FaceFit:
    """Coefficients that explain a batch of landmarks."""

    identity: Tensor
    """(B, 80)"""
    expression: Tensor
    """(B, 64)"""
    pose: Tensor
    """(B, 6): pitch, yaw, roll (radians); x, y of the head from the picture's centre, canonical units; z = 0"""
    camera: Similarity
    """canonical frame to pixels of the picture frame (y up, origin at the centre)"""


class MorphableModel(nn.Module):
    """Linear face model; its buffers are the whole content of ``morphable.safetensors``."""

    basis = "open3"

    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    identity_deviation: Tensor
    expression_deviation: Tensor
    _stable: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(VERTICES, 3))
        self.register_buffer("identity_basis", torch.zeros(IDENTITY_SIZE, VERTICES, 3))
        self.register_buffer("expression_basis", torch.zeros(EXPRESSION_SIZE, VERTICES, 3))
        self.register_buffer("identity_deviation", torch.ones(IDENTITY_SIZE))
        self.register_buffer("expression_deviation", torch.ones(EXPRESSION_SIZE))
        self.register_buffer("_stable", torch.tensor(STABLE), persistent=False)

    def shape(self, identity: Tensor, expression: Tensor) -> Tensor:
        """Vertices (B, 478, 3), canonical, of identity (B, 80) and expression (B, 64) coefficients."""
        return self.mean + torch.einsum("bk,kvc->bvc", identity, self.identity_basis) + self.offsets(expression)

    def offsets(self, expression: Tensor) -> Tensor:
        """Displacement (B, 478, 3), canonical, that expression coefficients (B, 64) cause."""
        return torch.einsum("bk,kvc->bvc", expression, self.expression_basis)

    def project(self, displacement: Tensor) -> Tensor:
        """Expression coefficients (B, 64) closest to a canonical displacement (B, 478, 3); the basis is orthonormal."""
        return torch.einsum("bvc,kvc->bk", displacement, self.expression_basis)

    def align(self, points: Tensor, identity: Tensor, expression: Tensor) -> Similarity:
        """Similarity from the canonical frame to ``points`` (B, 478, 3), by the points expressions move least."""
        shape = self.shape(identity, expression)
        return similarity_between(shape[:, self._stable], points[:, self._stable])

    def fit(self, landmarks: Tensor, width: int, height: int) -> FaceFit:
        """Explain landmarks (B, 478, 3), pixels with y down and z negative to the camera, of a width x height picture.

        Pose and shape are found in turn; the shape step is closed (orthonormal bases, Gaussian prior).
        """
        points = to_picture_frame(landmarks, width, height)
        batch = landmarks.shape[0]
        identity = self.mean.new_zeros(batch, IDENTITY_SIZE)
        expression = self.mean.new_zeros(batch, EXPRESSION_SIZE)
        identity_shrink = _shrinkage(self.identity_deviation)
        expression_shrink = _shrinkage(self.expression_deviation)
        for _ in range(_FIT_ROUNDS):
            residual = self.align(points, identity, expression).invert(points) - self.mean
            identity = torch.einsum("bvc,kvc->bk", residual, self.identity_basis) * identity_shrink
            expression = self.project(residual) * expression_shrink
        camera = self.align(points, identity, expression)
        translation = camera.translation / camera.scale[:, None]
        translation = torch.cat((translation[:, :2], torch.zeros_like(translation[:, 2:])), 1)
        pose = torch.cat((angles_from_rotation(camera.rotation), translation), 1)
        return FaceFit(identity, expression, pose, camera)


def fitted_camera(face: SourceFace) -> Similarity:
    """From the canonical frame to the picture frame of the portrait, B = 1.

    Raises:
        BasisMismatchError: the face was prepared by a pack without vertices.
    """
    if face.camera is None:
        raise BasisMismatchError("A stage that moves vertices", MorphableModel.basis, face.basis)
    return face.camera


def own_vertices(face: SourceFace) -> Tensor:
    """The portrait's own vertices (478, 3) in the canonical frame, with what the model cannot explain of them.

    Raises:
        BasisMismatchError: the face was prepared by a pack without vertices.
    """
    points = to_picture_frame(face.landmarks, face.crop.width, face.crop.height)
    return fitted_camera(face).invert(points[None])[0]


def load_morphable_model(path: Path) -> MorphableModel:
    """The 3DMM from its file, in inference mode."""
    model = MorphableModel()
    load_strictly(model, read_safetensors(path))
    return model.eval()


def to_picture_frame(landmarks: Tensor, width: int, height: int) -> Tensor:
    """Pixels with y down and z negative to the camera -> y up, z to the camera, origin at the picture's centre."""
    centre = landmarks.new_tensor((width / 2, height / 2, 0.0))
    return (landmarks - centre) * landmarks.new_tensor((1.0, -1.0, -1.0))


def from_picture_frame(points: Tensor, width: int, height: int) -> Tensor:
    """Inverse of ``to_picture_frame``."""
    centre = points.new_tensor((width / 2, height / 2, 0.0))
    return points * points.new_tensor((1.0, -1.0, -1.0)) + centre


def pose_points(shape: Tensor, pose: Tensor, scale: Tensor) -> Tensor:
    """Canonical vertices (B, N, 3) in the picture frame, pixels, under a pose (B, 6) seen at ``scale`` (B,) px a unit.

    A translation z towards the camera enlarges the face by the ratio of the camera's distances.
    """
    rotation = rotation_from_angles(pose[:, :3])
    distance = (CAMERA_DISTANCE - pose[:, 5]).clamp_min(1.0)
    scale = (scale * CAMERA_DISTANCE / distance)[:, None, None]
    translation = torch.cat((pose[:, 3:5], torch.zeros_like(pose[:, 5:])), 1)
    return scale * (shape @ rotation.transpose(1, 2) + translation[:, None, :])


def _shrinkage(deviation: Tensor) -> Tensor:
    variance = deviation.square()
    return variance / (variance + _LANDMARK_NOISE**2)
