import pytest
import torch
from sadtalker_pack.sadtalker_core.face.measures import eye_closure, eye_opening, mouth_opening
from sadtalker_pack.sadtalker_core.face.regions import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE, RIGHT_EYE
from sadtalker_pack.sadtalker_core.training.speech_data import (
    LIP_PAIRS,
    FittedClip,
    blink_movement,
    close_lips,
    eyelid_region,
    mouth_region,
    region_projection,
    resting_expression,
)
from sadtalker_pack.sadtalker_core.training.tracks import resample_track


def test_speech_moves_the_mouth_and_blinks_the_lids_and_neither_the_forehead(model):
    mouth, lids = mouth_region(model), eyelid_region(model)
    assert mouth[list(INNER_LIPS)].min() > 0.9
    assert lids[list(LEFT_EYE)].min() > 0.9
    assert mouth[list(LEFT_EYE)].max() < 0.1
    assert lids[list(INNER_LIPS)].max() < 0.1
    for region in (mouth, lids):
        assert region[FACE_OVAL[0]] < 0.01
        assert region[LEFT_BROW[0]] < 0.5


def test_region_matrix_keeps_a_lip_motion_and_drops_a_brow_motion(model):
    region = region_projection(model, mouth_region(model))
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
    shape[1, [LEFT_EYE[4], RIGHT_EYE[4]], 1] -= 0.02
    assert (mouth_opening(shape)[1] - mouth_opening(shape)[0]).item() == pytest.approx(0.1, abs=0.02)
    assert eye_opening(shape)[1] < eye_opening(shape)[0]


def test_closure_is_zero_for_open_and_one_for_shut_eyes(model):
    shape = model.mean[None].repeat(10, 1, 1)
    for ring in (LEFT_EYE, RIGHT_EYE):
        for index in range(1, 8):
            shape[9, ring[index]] = shape[9, ring[16 - index]]
    closure = eye_closure(eye_opening(shape))
    assert closure[:9].max() < 0.01
    assert closure[9] == 1


@pytest.mark.parametrize("fps", [24, 30, 29.97, 60])
def test_resampling_keeps_the_first_frame_and_the_speed(fps):
    begins = [7 + frame / fps for frame in range(120)]  # films need not begin at 0
    track = resample_track((torch.tensor(begins) - 7)[:, None, None].expand(-1, 478, 3), begins)
    assert len(track) == int(120 / fps * 25 + 1e-3)
    assert torch.allclose(track[:-1, 0, 0], torch.arange(len(track) - 1) / 25, atol=1e-5)


def test_dropped_frames_shift_nothing():
    begins = [frame / 30 for frame in range(90) if frame % 7 != 3]
    track = resample_track(torch.tensor(begins)[:, None, None].expand(-1, 478, 3), begins)
    assert torch.allclose(track[:-1, 0, 0], torch.arange(len(track) - 1) / 25, atol=1e-5)


def test_a_track_of_the_wanted_rate_stays_as_it_is():
    track = torch.randn(40, 478, 3)
    track[11] = torch.nan  # a frame without a face takes none of its neighbours' with it
    same = resample_track(track, [0.04 + frame * 0.04 for frame in range(40)])
    assert torch.equal(same.nan_to_num(9), track.nan_to_num(9))


def clip(expression, opening, closure):
    frames = len(opening)
    valid = torch.ones(frames, dtype=torch.bool)
    return FittedClip("clip", "grid_s1", expression, torch.zeros(frames, 6), opening, closure, valid, None)


def test_lip_pairs_lie_above_each_other(model):
    upper, lower = model.mean[torch.tensor(LIP_PAIRS)].unbind(1)
    assert (upper[:, 1] > lower[:, 1]).all()
    assert (upper[:, 0] - lower[:, 0]).abs().max() < 0.02


def test_closed_lips_touch_and_the_upper_face_stays(model):
    random = torch.Generator().manual_seed(0)
    expression = torch.randn(40, 64, generator=random) * model.expression_deviation
    before, after = (model.mean + model.offsets(e) for e in (expression, close_lips(model, expression)))
    assert mouth_opening(before).mean() > 0.05
    assert mouth_opening(after).max() < 0.01
    moved = (after - before).norm(dim=-1)
    assert moved[:, LEFT_BROW].mean() < 0.1 * moved[:, list(INNER_LIPS)].mean()


def test_rest_is_where_the_lips_are_closest():
    expression = torch.arange(20.0)[:, None].expand(-1, 64)
    rest = resting_expression(clip(expression, torch.arange(20.0) + 1, torch.zeros(20)))
    assert rest[0] == 0.5


def test_blink_movement_is_the_slope_against_closure():
    movement = torch.randn(64, generator=torch.Generator().manual_seed(0))
    closure = torch.rand(50, generator=torch.Generator().manual_seed(1))
    clips = [clip(closure[:, None] * movement + offset, torch.zeros(50), closure) for offset in (0.0, 3.0)]
    assert torch.allclose(blink_movement(clips), movement, atol=1e-3)
