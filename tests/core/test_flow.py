import pytest
import torch
from sadtalker_pack.sadtalker_core.checks import check_shape
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.flow import (
    BlinkCurve,
    Coefficients,
    Crop,
    Keypoints,
    MelWindows,
    SourceFace,
    move_to,
)
from sadtalker_pack.sadtalker_core.geometry import Similarity


def test_check_shape_returns_the_sizes_of_its_letters():
    assert check_shape("x", torch.zeros(5, 1, 80, 16), "T 1 80 16") == {"T": 5}


@pytest.mark.parametrize("shape", [(5, 80, 16), (5, 2, 80, 16), (5, 1, 80, 15)])
def test_check_shape_names_expected_and_actual(shape):
    with pytest.raises(ShapeError) as caught:
        check_shape("windows", torch.zeros(shape), "T 1 80 16")
    assert "T, 1, 80, 16" in str(caught.value)
    assert str(shape) in str(caught.value)


def test_check_shape_holds_a_repeated_letter_to_one_size():
    with pytest.raises(ShapeError):
        check_shape("square", torch.zeros(3, 4), "N N")


@pytest.mark.parametrize("fps", [0, -25, 1000])
def test_values_refuse_impossible_frame_rates(fps):
    with pytest.raises(SadTalkerError, match="frame rate"):
        MelWindows(torch.zeros(2, 1, 80, 16), fps)
    with pytest.raises(SadTalkerError, match="frame rate"):
        BlinkCurve(torch.zeros(2), fps)


def test_coefficients_need_a_stream_and_one_length():
    with pytest.raises(SadTalkerError, match="got neither"):
        Coefficients("open3", 25)
    with pytest.raises(SadTalkerError, match="one length"):
        Coefficients("open3", 25, expression=torch.zeros(3, 64), pose=torch.zeros(4, 6))
    assert len(Coefficients("open3", 25, pose=torch.zeros(4, 6))) == 4


def test_keypoints_have_one_size_in_source_and_driving():
    with pytest.raises(ShapeError):
        Keypoints(torch.zeros(15, 3), torch.zeros(4, 478, 3), 25)


def test_move_to_copies_nested_tensors_and_keeps_the_rest():
    face = SourceFace(
        picture=torch.zeros(3, 8, 8),
        cropped=torch.zeros(3, 4, 6),
        crop=Crop(0, 0, 8, 8, 6, 4),
        landmarks=torch.zeros(478, 3),
        identity=torch.zeros(80),
        basis="open3",
        expression=torch.zeros(64),
        pose=torch.zeros(6),
        camera=Similarity(torch.ones(1), torch.eye(3)[None], torch.zeros(1, 3)),
    )
    moved = move_to(face, torch.device("meta"))
    assert moved.landmarks.is_meta
    assert moved.coefficients.pose.is_meta
    assert moved.camera.rotation.is_meta
    assert moved.crop == face.crop
    assert not face.landmarks.is_meta
