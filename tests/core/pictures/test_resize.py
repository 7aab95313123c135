"""Our fixed-point resampling against OpenCV's."""

import cv2
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.pictures.resize import resize_levels

SIZES = [
    (64, 64, 64, 64),
    (256, 256, 121, 120),
    (256, 256, 300, 411),
    (256, 200, 128, 100),
    (30, 40, 300, 17),
    (5, 7, 1, 1),
]


@pytest.mark.parametrize(("height", "width", "new_height", "new_width"), SIZES)
def test_equals_opencv(height, width, new_height, new_width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_LINEAR).astype(int)
    ours = resize_levels(torch.from_numpy(pixels).permute(2, 0, 1).int(), new_height, new_width)
    difference = np.abs(ours.permute(1, 2, 0).numpy() - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_every_picture_of_a_batch_is_its_own():
    levels = torch.randint(0, 256, (2, 3, 20, 30), dtype=torch.int32)
    assert torch.equal(resize_levels(levels, 33, 44)[1], resize_levels(levels[1], 33, 44))


def test_extremes_stay_in_range():
    levels = torch.tensor([[0, 255], [255, 0]], dtype=torch.int32)[None]
    resized = resize_levels(levels, 9, 9)
    assert resized.min() == 0
    assert resized.max() == 255
