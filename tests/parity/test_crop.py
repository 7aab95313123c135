"""Golden 13: boxes around faces in pictures of all shapes, and the pictures cut with them."""

import re

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.packs.official.crops import crop_geometry, square_picture, whole_geometry
from sadtalker_pack.tests.support.goldens import golden, largest_error

GOLDEN = golden("13_crop")
CASES = [match[1] for match in (re.fullmatch(r"(\w+)\.size_hw", name) for name in GOLDEN) if match]
PIXELS = GOLDEN["pix.image"].numpy()
SIDE = GOLDEN["pix.cropped_256"].shape[0]


def geometry_of(name, height, width):
    return crop_geometry(GOLDEN[f"{name}.lm68"].numpy(), width, height)


def height_and_width(box):
    return [box[3] - box[1], box[2] - box[0]]


@pytest.mark.parametrize("name", CASES)
def test_boxes(name):
    recorded = {key.removeprefix(f"{name}."): value for key, value in GOLDEN.items() if key.startswith(f"{name}.")}
    geometry = geometry_of(name, *recorded["size_hw"].tolist())
    assert [geometry.width, geometry.height] == recorded["rsize_wh"].tolist()
    assert list(geometry.extended) == recorded["crop"].tolist()
    assert largest_error(torch.tensor(geometry.edges), recorded["quad"]) < 1e-3
    assert list(geometry.proportions) == recorded["crop_info_wh"].tolist()
    assert height_and_width(geometry.face) == recorded["cropped_hw"].tolist()
    assert height_and_width(geometry.extended) == recorded["ext_cropped_hw"].tolist()


class TestPictures:
    geometry = geometry_of("pix", *PIXELS.shape[:2])

    def test_boxes(self):
        assert list(self.geometry.extended) == GOLDEN["pix.crop"].tolist()
        assert largest_error(torch.tensor(self.geometry.edges), GOLDEN["pix.quad"]) < 1e-3

    def test_crop(self):
        compare(square_picture(PIXELS, self.geometry, self.geometry.face, SIDE), GOLDEN["pix.cropped_256"])

    def test_extended_crop(self):
        square = square_picture(PIXELS, self.geometry, self.geometry.extended, SIDE)
        compare(square[::4], GOLDEN["pix.ext_256_rows4"])

    def test_resize(self):
        whole = whole_geometry(PIXELS.shape[1], PIXELS.shape[0])
        compare(square_picture(PIXELS, whole, whole.face, SIDE)[::4], GOLDEN["pix.resize_256_rows4"])


def compare(ours, recorded):
    """Another release of OpenCV may round another way."""
    assert ours.shape == recorded.shape
    assert np.abs(ours.astype(int) - recorded.numpy()).max() <= 1
