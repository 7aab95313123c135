"""Golden 03: ExpNet."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.expnet.predict import predict_expression
from sadtalker_pack.sadtalker_core.flow import BlinkCurve, MelWindows
from sadtalker_pack.tests.support.audio_networks import rule_expnet
from sadtalker_pack.tests.support.goldens import golden, largest_error

GOLDEN = golden("03_expnet")
WINDOWS = GOLDEN["mel"][:, None]
LIMIT = 5e-5


@pytest.fixture(scope="module")
def expnet():
    return rule_expnet()


def test_audio_feature(expnet):
    assert largest_error(expnet.audio_encoder(WINDOWS[:8]).flatten(1), GOLDEN["audio_feature_T8"]) < 1e-4


@pytest.mark.parametrize("frames", [8, 23])
@pytest.mark.parametrize("batch_size", [10, 64])
def test_expression(expnet, frames, batch_size):
    expression = predict_expression(
        expnet,
        MelWindows(WINDOWS[:frames], 25),
        GOLDEN["ref"][:frames],
        BlinkCurve(GOLDEN["ratio"][:frames, 0], 25),
        batch_size=batch_size,
    )
    assert largest_error(expression, GOLDEN[f"exp_T{frames}"]) < LIMIT


def test_without_blinks(expnet):
    expression = predict_expression(expnet, MelWindows(WINDOWS, 25), GOLDEN["ref"], None)
    assert largest_error(expression, GOLDEN["exp_T23_ratio0"]) < LIMIT
    assert not torch.equal(GOLDEN["exp_T23_ratio0"], GOLDEN["exp_T23"])
