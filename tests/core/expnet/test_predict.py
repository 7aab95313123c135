import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.expnet.model import ExpNet
from sadtalker_pack.sadtalker_core.expnet.predict import predict_expression
from sadtalker_pack.sadtalker_core.flow import BlinkCurve, MelWindows

FRAMES = 9


@pytest.fixture(scope="module")
def expnet():
    torch.manual_seed(0)
    return ExpNet().eval()


@pytest.fixture
def mel():
    return MelWindows(torch.randn(FRAMES, 1, 80, 16), 30)


def test_expression_per_frame(expnet, mel):
    expression = predict_expression(expnet, mel, torch.zeros(64), None)
    assert expression.shape == (FRAMES, 64)
    assert not expression.requires_grad


def test_batches_and_progress(expnet, mel):
    steps = []
    start = torch.randn(64)
    track = predict_expression(expnet, mel, start, None, batch_size=4, on_progress=lambda *step: steps.append(step))
    assert steps == [(4, FRAMES), (8, FRAMES), (FRAMES, FRAMES)]
    whole = predict_expression(expnet, mel, start, None)
    assert torch.allclose(track, whole, atol=1e-6)


def test_a_start_for_each_frame(expnet, mel):
    start = torch.randn(64)
    one = predict_expression(expnet, mel, start, None)
    each = predict_expression(expnet, mel, start.repeat(FRAMES, 1), None)
    assert torch.equal(one, each)


def test_smoothing_is_a_mean_of_neighbours_and_leaves_the_eyes_alone(expnet, mel):
    raw = predict_expression(expnet, mel, torch.zeros(64), None)
    smooth = predict_expression(expnet, mel, torch.zeros(64), None, smoothing=0.25)
    expected = 0.25 * raw[:-2] + 0.5 * raw[1:-1] + 0.25 * raw[2:]
    assert torch.allclose(smooth[1:-1], expected, atol=1e-6)
    assert torch.allclose(smooth[0], 0.75 * raw[0] + 0.25 * raw[1], atol=1e-6)
    blink = BlinkCurve(torch.eye(FRAMES)[4], 30)
    closed = predict_expression(expnet, mel, torch.zeros(64), blink, smoothing=0.25)
    moved = (closed - smooth).abs().amax(1) > 1e-6
    assert moved.nonzero()[:, 0].tolist() == [4]


def test_open_eyes_are_no_blinks(expnet, mel):
    blink = BlinkCurve(torch.zeros(FRAMES), 30)
    with_curve = predict_expression(expnet, mel, torch.zeros(64), blink)
    assert torch.equal(with_curve, predict_expression(expnet, mel, torch.zeros(64), None))
    closed = BlinkCurve(torch.ones(FRAMES), 30)
    assert not torch.equal(with_curve, predict_expression(expnet, mel, torch.zeros(64), closed))


@pytest.mark.parametrize("blink", [BlinkCurve(torch.zeros(FRAMES + 1), 30), BlinkCurve(torch.zeros(FRAMES), 25)])
def test_blinks_of_another_clip_are_refused(expnet, mel, blink):
    with pytest.raises(SadTalkerError, match="same mel windows"):
        predict_expression(expnet, mel, torch.zeros(64), blink)


@pytest.mark.parametrize("shape", [(63,), (1, 64), (FRAMES + 1, 64)])
def test_misshaped_starts_are_refused(expnet, mel, shape):
    with pytest.raises(ShapeError):
        predict_expression(expnet, mel, torch.zeros(shape), None)
