import torch
from hypothesis import given
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.geometry import angles_from_rotation, rotation_from_angles, similarity_between

ANGLE = st.floats(-1.4, 1.4)


@given(ANGLE, ANGLE, ANGLE)
def test_angles_survive_the_rotation_matrix(pitch, yaw, roll):
    angles = torch.tensor([[pitch, yaw, roll]], dtype=torch.float64)
    rotation = rotation_from_angles(angles)
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(angles_from_rotation(rotation), angles, atol=1e-9)


def test_rotation_is_pitch_times_yaw_times_roll():
    one_axis = [rotation_from_angles(torch.eye(3)[i : i + 1] * 0.3) for i in range(3)]
    together = rotation_from_angles(torch.full((1, 3), 0.3))
    assert torch.allclose(one_axis[0] @ one_axis[1] @ one_axis[2], together, atol=1e-6)


def test_similarity_is_recovered_from_points():
    source = torch.randn(1, 40, 3)
    angles = torch.randn(6, 3) * 0.5
    scale = torch.rand(6) + 0.5
    shift = torch.randn(6, 3)
    target = scale[:, None, None] * (source @ rotation_from_angles(angles).transpose(1, 2)) + shift[:, None]
    found = similarity_between(source, target)
    assert torch.allclose(found.apply(source), target, atol=1e-4)
    assert torch.allclose(found.scale, scale, atol=1e-4)
    assert torch.allclose(angles_from_rotation(found.rotation), angles, atol=1e-3)
    assert torch.allclose(found.invert(target), source.expand(6, -1, -1), atol=1e-4)


def test_a_mirror_image_does_not_become_a_reflection():
    source = torch.randn(1, 40, 3)
    found = similarity_between(source, source * torch.tensor((-1.0, 1.0, 1.0)))
    assert torch.linalg.det(found.rotation).item() > 0.99
