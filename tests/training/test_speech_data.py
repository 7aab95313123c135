import pytest
import torch
from sadtalker_pack.sadtalker_core.face3d.regions import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE
from sadtalker_pack.sadtalker_core.training.expnet import region_matrix
from sadtalker_pack.sadtalker_core.training.speech_data import eye_aspect, eye_closure, mouth_opening, speech_region
from sadtalker_pack.sadtalker_core.training.tracks import resample_track
from sadtalker_pack.sadtalker_core.weights.open_pack import OPEN_ASSETS, load_morphable_model


@pytest.fixture(scope="module")
def model():
    return load_morphable_model(OPEN_ASSETS / "morphable.safetensors").eval()


def test_speech_moves_mouth_and_lids_and_leaves_brow_and_forehead(model):
    region = speech_region(model)
    assert region[list(INNER_LIPS)].min() > 0.9
    assert region[list(LEFT_EYE)].min() > 0.9
    assert region[FACE_OVAL[0]] < 0.01
    assert region[LEFT_BROW[0]] < 0.5


def test_region_matrix_keeps_a_lip_motion_and_drops_a_brow_motion(model):
    region = region_matrix(model)
    lips, brow = torch.zeros(2, 1, 478, 3)
    lips[:, list(INNER_LIPS[11:]), 1] = -0.1
    brow[:, list(LEFT_BROW), 1] = 0.1
    for motion, kept in ((lips, True), (brow, False)):
        coefficients = model.project(motion)
        share = (coefficients @ region).norm() / coefficients.norm()
        assert (share > 0.8) == kept


def test_opening_and_eye_measures_follow_the_vertices(model):
    shape = model.mean[None].repeat(2, 1, 1)
    shape[1, 14, 1] -= 0.1
    shape[1, [159, 386], 1] -= 0.02
    assert (mouth_opening(shape)[1] - mouth_opening(shape)[0]).item() == pytest.approx(0.1, abs=0.02)
    assert eye_aspect(shape)[1] < eye_aspect(shape)[0]


def test_closure_is_zero_for_open_and_one_for_shut_eyes(model):
    shape = model.mean[None].repeat(10, 1, 1)
    for upper, lower in ((159, 145), (386, 374)):
        shape[9, upper] = shape[9, lower]
    closure = eye_closure(shape)
    assert closure[:9].max() < 0.01
    assert closure[9] == 1


def test_resampling_keeps_the_first_frame_and_the_speed():
    track = torch.arange(60.0)[:, None, None].expand(-1, 478, 3)
    slower = resample_track(track, 30, 25)
    assert slower.shape[0] == 50
    assert torch.allclose(slower[:, 0, 0], torch.arange(50) * 30 / 25, atol=1e-4)
