"""Golden 11: alignment to the standard face, and the ResNet-50 regressor."""

import re

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.packs.official.alignment import (
    STANDARD_POINTS,
    align_picture,
    align_points,
    original_five_points,
)
from sadtalker_pack.sadtalker_core.packs.official.regressor import split_coefficients
from sadtalker_pack.tests.support.goldens import golden, largest_error
from sadtalker_pack.tests.support.official_networks import rule_regressor

GOLDEN = golden("11_align_recon")
PIXELS = golden("07_keypoints")["image"].numpy()
SIDE = PIXELS.shape[0]
CASES = [match[1] for match in (re.fullmatch(r"(\w+)\.full257", name) for name in GOLDEN) if match]


def test_standard_face():
    assert largest_error(torch.from_numpy(STANDARD_POINTS), GOLDEN["lm3d5"]) < 1e-7


def test_standard_face_stands_in_for_landmarks_that_were_not_found():
    points = (torch.from_numpy(STANDARD_POINTS[:, :2]) + 1) / 2 * SIDE
    assert largest_error(points, GOLDEN["fallback.lm_in"]) < 1e-3


@pytest.mark.parametrize("name", [case for case in CASES if f"{case}.lm68_image" in GOLDEN])
def test_landmarks_with_y_up(name):
    upright = GOLDEN[f"{name}.lm68_image"].clone()
    upright[:, 1] = SIDE - 1 - upright[:, 1]
    assert largest_error(upright, GOLDEN[f"{name}.lm_in"]) < 1e-3


@pytest.mark.parametrize("name", CASES)
def test_alignment(name):
    points = GOLDEN[f"{name}.lm_in"].double().numpy()
    alignment = align_points(points if len(points) == 5 else original_five_points(points), SIDE)
    ours = torch.tensor([alignment.side, alignment.side, alignment.scale, alignment.x, alignment.y])
    assert largest_error(ours, GOLDEN[f"{name}.trans_params"]) < 1e-3
    assert largest_error(torch.from_numpy(alignment.place(points)), GOLDEN[f"{name}.lm_out"]) < 1e-3
    pixels = align_picture(PIXELS, alignment)
    assert pixels.shape == GOLDEN[f"{name}.image224"].shape
    assert np.abs(pixels.astype(int) - GOLDEN[f"{name}.image224"].numpy()).max() <= 1


@pytest.mark.parametrize("name", CASES)
def test_coefficients(name):
    pictures = GOLDEN[f"{name}.image224"].permute(2, 0, 1)[None] / 255
    coefficients = rule_regressor()(pictures)
    assert largest_error(coefficients[0], GOLDEN[f"{name}.full257"]) < 1e-4
    face = split_coefficients(coefficients)
    alignment = GOLDEN[f"{name}.trans_params"][None, 2:]
    ours = torch.cat((face.expression, face.pose, alignment), 1)
    assert largest_error(ours[0], GOLDEN[f"{name}.coeff73"]) < 1e-4
