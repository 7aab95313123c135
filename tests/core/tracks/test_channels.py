import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError
from sadtalker_pack.sadtalker_core.face.regions import LOWER_LIP, UPPER_LIP
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.tracks.channels import channels


def test_pose_in_degrees_and_units():
    pose = torch.tensor([[math.radians(1), math.radians(2), math.radians(3), 4.0, 5.0, 6.0]])
    curves = channels(Coefficients("bfm09", 25.0, pose=pose)).curves
    assert [*curves] == ["pitch", "yaw", "roll", "x", "y", "z"]
    assert [float(curve) for curve in curves.values()] == pytest.approx([1, 2, 3, 4, 5, 6], abs=1e-5)


def test_mouth_opens_as_the_lips_part(model):
    """Lips of the mean face moved apart by a tenth of the unit are as far apart as that."""
    apart = torch.zeros(1, 478, 3)
    apart[:, LOWER_LIP, 1] = -0.1
    likely = model.project(apart)
    gap = model.offsets(likely)[:, [UPPER_LIP, LOWER_LIP]].diff(dim=1).norm()
    track = Coefficients("open3", 25.0, torch.cat((torch.zeros(1, 64), likely * 0.1 / gap)))
    closed, opened = channels(track, model).curves["mouth_opening"].tolist()
    assert opened - closed == pytest.approx(0.1, abs=0.01)


def test_eyes_close_with_the_blink_ratio(pack, model):
    """Measured on ExpNet's own blinks: the eyes' opening falls, the mouth's stays."""
    expnet = pack.expnet
    windows, reference = torch.full((2, 1, 80, 16), -4.0), torch.zeros(2, 64)
    with torch.inference_mode():
        expression = expnet(windows, reference, torch.tensor([[0.0], [1.0]]))
    curves = channels(Coefficients("open3", 25.0, expression), model).curves
    opened, shut = curves["eye_opening"].tolist()
    assert shut < 0.5 * opened
    before, after = curves["mouth_opening"].tolist()
    assert abs(after - before) < 0.005


def test_official_expression_is_one_curve():
    expression = torch.zeros(3, 64)
    expression[1, 0], expression[2, 5] = 3.0, -4.0
    curves = channels(Coefficients("bfm09", 25.0, expression)).curves
    assert [*curves] == ["expression"]
    assert curves["expression"].tolist() == [0.0, 3.0, 4.0]


def test_model_of_another_basis(model):
    with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
        channels(Coefficients("bfm09", 25.0, torch.zeros(2, 64)), model)
