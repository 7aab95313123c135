import pytest
import torch
from sadtalker_pack.sadtalker_core.face.morphable import from_picture_frame, pose_points
from sadtalker_pack.sadtalker_core.face.regions import LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from sadtalker_pack.sadtalker_core.metrics.mouth import (
    MAX_LAG,
    best_common_lag,
    correlation,
    lagged_correlations,
    measure_mouth,
    opening_in_range,
    spread_ratio,
)


def speech_curve(frames=200, seed=0):
    noise = torch.randn(frames + 4, generator=torch.Generator().manual_seed(seed))
    return noise.unfold(0, 5, 1).mean(1)


def test_the_mouth_is_measured_in_the_heads_own_axes(model):
    """Whatever the pose and size, a lower lip that hangs 0.1 lower opens the mouth by 0.1."""
    shape = model.mean.repeat(3, 1, 1).clone()
    shape[1, LOWER_LIP, 1] -= 0.1
    shape[2, MOUTH_CORNERS[0], 0] -= 0.05
    pose = torch.tensor([[0.3, -0.4, 0.2, 0.5, -0.2, 0.0]]).expand(3, -1)
    points = from_picture_frame(pose_points(shape, pose, torch.full((3,), 130.0)), 640, 480)
    mouth = measure_mouth(model, points, 640, 480)
    resting = model.mean[UPPER_LIP, 1] - model.mean[LOWER_LIP, 1]
    assert torch.allclose(mouth.opening, resting + torch.tensor([0.0, 0.1, 0.0]), atol=1e-4)
    assert torch.allclose(mouth.lower_lip - mouth.lower_lip[0], torch.tensor([0.0, -0.1, 0.0]), atol=1e-4)
    assert float(mouth.width[2] - mouth.width[0]) == pytest.approx(0.05, abs=1e-3)


def test_frames_without_a_face_are_unknown(model):
    points = from_picture_frame(150 * model.mean.repeat(3, 1, 1), 512, 512)
    points[1] = torch.nan
    mouth = measure_mouth(model, points, 512, 512)
    assert mouth.opening.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("shift", [-5, -2, 0, 1, 4])
def test_a_late_prediction_has_its_delay_as_best_lag(shift):
    curve = speech_curve(220)
    tracked, predicted = curve[10:210], curve[10 - shift : 210 - shift]
    lags = lagged_correlations(predicted, tracked)
    assert sorted(lags) == list(range(-MAX_LAG, MAX_LAG + 1))
    assert best_common_lag([lags]) == shift
    assert lags[shift] == pytest.approx(1, abs=1e-6)


def test_the_common_lag_is_that_of_the_mean():
    assert best_common_lag([{0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.3}]) == 0
    assert best_common_lag([{-1: 0.5, 0: 0.5, 1: 0.5}]) == 0


def test_unknown_frames_do_not_count():
    tracked = speech_curve()
    predicted = 2 * tracked + 1
    predicted[50] = 1000
    spoiled = tracked.clone()
    spoiled[50] = torch.nan
    assert correlation(predicted, spoiled) == pytest.approx(1, abs=1e-6)
    assert correlation(-tracked, tracked) == pytest.approx(-1, abs=1e-6)
    assert spread_ratio(predicted, spoiled) == pytest.approx(2, rel=1e-5)


def test_a_mouth_that_does_not_move_correlates_with_nothing():
    assert correlation(torch.ones(50), speech_curve(50)) == 0


def test_opening_counts_from_the_closed_mouth():
    speaking = torch.linspace(0.01, 0.21, 101)  # 95th percentile 0.2
    shares = opening_in_range(torch.tensor([0.01, 0.105, 0.2, 0.0]), 0.01, speaking)
    assert torch.allclose(shares, torch.tensor([0.0, 0.5, 1.0, -0.01 / 0.19]), atol=1e-5)
