import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.morphable import from_picture_frame, pose_points
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.sadtalker_core.packs.open.mapping import MeshMapping
from sadtalker_pack.tests.support.faces import source_face

SIZE = 512
EYES = 150.0
"""Pixels between the outer eye corners."""


@pytest.fixture(scope="module")
def face(model):
    """A face that the model cannot explain exactly: a random shape plus noise of a few pixels."""
    generator = torch.Generator().manual_seed(1)
    expression = torch.randn(1, 64, generator=generator) * model.expression_deviation
    pose = torch.tensor([[0.1, -0.2, 0.05, 0.2, -0.1, 0.0]])
    shape = model.shape(torch.randn(1, 80, generator=generator) * model.identity_deviation, expression)
    landmarks = from_picture_frame(pose_points(shape, pose, torch.full((1,), EYES)), SIZE, SIZE)
    landmarks = landmarks + 2 * torch.randn(landmarks.shape, generator=generator)
    fit = model.fit(landmarks, SIZE, SIZE)
    coefficients = Coefficients("open3", 25, expression=fit.expression, pose=fit.pose)
    picture = torch.zeros(3, SIZE, SIZE)
    crop = Crop(0, 0, SIZE, SIZE, SIZE, SIZE)
    return source_face(picture, picture, crop, landmarks[0], fit.identity[0], coefficients, fit.camera)


def drive(model, face, expression=None, pose=None):
    own = face.coefficients
    expression = own.expression if expression is None else expression
    pose = own.pose if pose is None else pose
    return MeshMapping(model).keypoints(face, Coefficients("open3", 25, expression=expression, pose=pose))


def test_own_coefficients_give_back_the_landmarks(model, face):
    keypoints = drive(model, face)
    assert keypoints.driving.shape == (1, 478, 3)
    assert (keypoints.driving[0] - face.landmarks).abs().max() < 0.02


def test_translation_moves_by_the_unit_of_the_basis(model, face):
    pose = face.coefficients.pose + torch.tensor([[0, 0, 0, 0.1, 0.2, 0]])
    moved = drive(model, face, pose=pose).driving[0] - face.landmarks
    assert torch.allclose(moved[:, :2].mean(0), torch.tensor((0.1 * EYES, -0.2 * EYES)), atol=1.0)
    assert moved.std(0).max() < 0.05


def test_yaw_turns_the_nose_to_the_pictures_right(model, face):
    pose = face.coefficients.pose + torch.tensor([[0, math.radians(10), 0, 0, 0, 0]])
    moved = drive(model, face, pose=pose).driving[0] - face.landmarks
    assert moved[1, 0] > moved[33, 0] + 5


def test_coming_closer_enlarges_the_face(model, face):
    pose = face.coefficients.pose + torch.tensor([[0, 0, 0, 0, 0, 1.0]])
    nearer = drive(model, face, pose=pose).driving[0]
    ratio = (nearer[33] - nearer[263]).norm() / (face.landmarks[33] - face.landmarks[263]).norm()
    assert ratio.item() == pytest.approx(10 / 9, rel=1e-3)


def test_expression_moves_only_by_its_difference(model, face):
    expression = face.coefficients.expression.clone()
    expression[0, 0] += 1.0
    moved = drive(model, face, expression=expression).driving[0] - face.landmarks
    expected = model.expression_basis[0].norm(dim=1) * EYES
    assert torch.allclose(moved.norm(dim=1), expected, rtol=0.1, atol=1.0)


def test_another_basis_and_missing_streams_are_refused(model, face):
    mapping = MeshMapping(model)
    with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
        mapping.keypoints(face, Coefficients("bfm09", 25, expression=torch.zeros(1, 64), pose=torch.zeros(1, 6)))
    with pytest.raises(SadTalkerError, match="Combine Coefficients"):
        mapping.keypoints(face, Coefficients("open3", 25, pose=torch.zeros(1, 6)))
