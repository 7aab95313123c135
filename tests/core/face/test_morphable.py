import pytest
import torch
from sadtalker_pack.sadtalker_core.face.morphable import (
    from_picture_frame,
    pose_points,
    to_picture_frame,
)

WIDTH, HEIGHT = 512, 480


@pytest.fixture(scope="module")
def truth(model):
    """Random faces of the model: identity, expression, pose, and their landmarks in pixels."""
    generator = torch.Generator().manual_seed(5)
    identity = torch.randn(6, 80, generator=generator) * model.identity_deviation
    expression = torch.randn(6, 64, generator=generator) * model.expression_deviation
    pose = torch.randn(6, 6, generator=generator) * torch.tensor((0.15, 0.2, 0.15, 0.3, 0.3, 0.0))
    points = pose_points(model.shape(identity, expression), pose, torch.full((6,), 150.0))
    return identity, expression, pose, from_picture_frame(points, WIDTH, HEIGHT)


def test_bases_are_orthonormal_to_themselves_and_each_other(model):
    basis = torch.cat((model.identity_basis, model.expression_basis)).flatten(1)
    assert basis.shape == (144, 478 * 3)
    assert torch.allclose(basis @ basis.T, torch.eye(144), atol=5e-3)  # stored in half precision


def test_unit_and_axes_are_as_documented(model):
    assert (model.mean[33] - model.mean[263]).norm().item() == pytest.approx(1, abs=2e-3)
    assert model.mean[263, 0] > model.mean[33, 0]  # the left eye is on the picture's right
    assert model.mean[10, 1] > model.mean[152, 1]  # forehead above chin
    assert model.mean[1, 2] > model.mean[33, 2]  # nose before the eyes


def test_fit_finds_pose_and_shape_again(model, truth):
    _, _, pose, landmarks = truth
    fit = model.fit(landmarks, WIDTH, HEIGHT)
    assert (fit.pose[:, :3] - pose[:, :3]).abs().max() < 0.03
    assert (fit.pose[:, 3:5] - pose[:, 3:5]).abs().max() < 0.03
    again = from_picture_frame(fit.camera.apply(model.shape(fit.identity, fit.expression)), WIDTH, HEIGHT)
    distance = (again - landmarks)[..., :2].norm(dim=-1)
    assert distance.mean() < 0.02 * 150


def test_picture_frame_round_trip():
    points = torch.randn(2, 478, 3) * 100
    assert torch.allclose(from_picture_frame(to_picture_frame(points, 10, 20), 10, 20), points, atol=1e-4)


def test_coming_closer_enlarges(model):
    shape = model.mean[None]
    near, far = (pose_points(shape, torch.tensor([[0, 0, 0, 0, 0, z]]), torch.ones(1)) for z in (1.0, -1.0))
    assert near.std() > shape.std() > far.std()
