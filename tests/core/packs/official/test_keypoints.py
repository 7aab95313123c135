import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.packs.official.keypoints import (
    KeypointDetector,
    decode_degrees,
    rotation_matrix,
    transform_keypoints,
)

RIGHT_ANGLE = 180 / 3.14 * (math.pi / 2)
"""Degrees that the networks understand as a quarter turn."""


def degrees(value):
    return torch.tensor([float(value)])


def posed(canonical, *, yaw=0, pitch=0, roll=0, translation=(0, 0, 0), offsets=None):
    return transform_keypoints(
        canonical,
        yaw=degrees(yaw),
        pitch=degrees(pitch),
        roll=degrees(roll),
        translation=torch.tensor([translation]).float(),
        offsets=torch.zeros(1, 15, 3) if offsets is None else offsets,
    )


@pytest.fixture
def canonical():
    return torch.rand(1, 15, 3) * 2 - 1


@pytest.mark.parametrize(("index", "angle"), [(0, -99), (33, 0), (65, 96)])
def test_a_single_bin_is_its_angle(index, angle):
    logits = torch.full((1, 66), -100.0)
    logits[0, index] = 0
    assert decode_degrees(logits).item() == pytest.approx(angle, abs=1e-4)


def test_equal_bins_are_their_mean():
    assert decode_degrees(torch.zeros(2, 66)).tolist() == pytest.approx([-1.5, -1.5], abs=1e-4)


def test_other_numbers_of_bins_are_refused():
    with pytest.raises(ShapeError, match="66"):
        decode_degrees(torch.zeros(1, 65))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [("pitch", (0, 1, 0), (0, 0, 1)), ("yaw", (0, 0, 1), (1, 0, 0)), ("roll", (1, 0, 0), (0, 1, 0))],
)
def test_a_quarter_turn_about_each_axis(name, start, end):
    angles = {"yaw": degrees(0), "pitch": degrees(0), "roll": degrees(0)} | {name: degrees(RIGHT_ANGLE)}
    turned = rotation_matrix(**angles)[0] @ torch.tensor(start).float()
    assert torch.allclose(turned, torch.tensor(end).float(), atol=1e-6)


def test_roll_comes_first_and_pitch_last():
    angles = {"yaw": degrees(20), "pitch": degrees(-40), "roll": degrees(70)}
    about = {name: rotation_matrix(**{other: angles[other] * (other == name) for other in angles}) for name in angles}
    assert torch.allclose(rotation_matrix(**angles), about["pitch"] @ about["yaw"] @ about["roll"], atol=1e-6)


def test_rotations_keep_distances():
    matrices = rotation_matrix(*(torch.rand(3, 8) * 180 - 90))
    assert torch.allclose(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(8, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(8), atol=1e-6)


def test_no_pose_is_the_canonical_head(canonical):
    assert torch.equal(posed(canonical), canonical)


def test_each_keypoint_is_turned_as_a_column(canonical):
    expected = rotation_matrix(degrees(30), degrees(10), degrees(-5))[0] @ canonical[0, 4]
    assert torch.allclose(posed(canonical, yaw=30, pitch=10, roll=-5)[0, 4], expected, atol=1e-6)


def test_heads_move_only_up_and_down(canonical):
    moved = posed(canonical, translation=(0.5, 0.25, -2)) - canonical
    assert torch.allclose(moved, torch.tensor((0, 0.25, 0)).expand(1, 15, 3), atol=1e-6)


def test_expression_is_not_turned_with_the_head(canonical):
    offsets = torch.rand(1, 15, 3)
    change = posed(canonical, yaw=60, offsets=offsets) - posed(canonical, yaw=60)
    assert torch.allclose(change, offsets, atol=1e-6)


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    detector = KeypointDetector().eval()
    torch.nn.init.constant_(detector.down.weight, 1 / 169)
    return detector


class TestDetector:
    @torch.inference_mode()
    def test_keypoints_lie_in_the_volume(self, detector):
        keypoints = detector(torch.rand(2, 3, 128, 128))
        assert keypoints.shape == (2, 15, 3)
        assert keypoints.abs().max() <= 1

    @torch.inference_mode()
    def test_keypoints_are_the_centre_of_their_heat(self, detector):
        """A single hot voxel in the logits puts the keypoint on it: x to the right, y down, z through the layers."""
        logits = torch.zeros(1, 15, 16, 32, 32)
        logits[0, :, 15, 8, 31] = 100
        handle = detector.kp.register_forward_hook(lambda module, inputs, output: logits)
        keypoints = detector(torch.rand(1, 3, 128, 128))
        handle.remove()
        expected = torch.tensor((1, 2 * 8 / 31 - 1, 1)).expand(1, 15, 3)
        assert torch.allclose(keypoints, expected, atol=1e-5)

    @torch.inference_mode()
    def test_smoothing_takes_every_fourth_pixel(self, detector):
        """The mean of 13 x 13 pixels around it, black beyond the border."""
        picture = torch.rand(1, 3, 64, 64)
        small = detector.down(picture)
        assert small.shape == (1, 3, 16, 16)
        assert torch.allclose(small[0, :, 5, 7], picture[0, :, 14:27, 22:35].mean((1, 2)), atol=1e-6)
        assert torch.allclose(small[0, :, 0, 0], picture[0, :, :7, :7].sum((1, 2)) / 169, atol=1e-6)

    def test_pictures_must_be_squares(self, detector):
        with pytest.raises(ShapeError, match="B, 3, S, S"):
            detector(torch.rand(1, 3, 128, 160))
