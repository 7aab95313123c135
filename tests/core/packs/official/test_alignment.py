"""Alignment by five points: exact for views of the standard face, and small faces need no more memory."""

import numpy as np
import pytest
from sadtalker_pack.sadtalker_core.packs.official.alignment import (
    ALIGNED_SIZE,
    STANDARD_POINTS,
    Alignment,
    align_picture,
    align_points,
    original_five_points,
)
from scipy.spatial.transform import Rotation


def view(scale, x, y, degrees=(0, 0, 0)):
    """The five points (5, 2) of a standard face, ``scale`` pixels a unit, with its origin at (x, y)."""
    turned = STANDARD_POINTS @ Rotation.from_euler("xyz", degrees, degrees=True).as_matrix().T
    return scale * turned[:, :2] + (x, y)


class TestPoints:
    @pytest.mark.parametrize("degrees", [(0, 0, 0), (10, -35, 20)])
    def test_recover_scale_and_place(self, degrees):
        alignment = align_points(view(80.0, 120.5, 131.25, degrees), 256)
        assert alignment.scale == pytest.approx(102 / 80, rel=1e-6)
        assert (alignment.x, alignment.y) == pytest.approx((120.5, 131.25))

    def test_land_where_the_standard_face_is(self):
        points = view(73.0, 100.0, 150.0)
        placed = align_points(points, 256).place(points)
        expected = 102 * STANDARD_POINTS[:, :2] + ALIGNED_SIZE / 2
        # The resized picture's side is rounded down to whole pixels.
        assert np.abs(placed - expected).max() < 1

    def test_are_those_of_the_68(self):
        landmarks = np.arange(136.0).reshape(68, 2)
        expected = [(75, 76), (87, 88), (60, 61), (96, 97), (108, 109)]
        assert original_five_points(landmarks).tolist() == [list(point) for point in expected]


class TestPicture:
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)

    def test_of_scale_one_is_a_cut(self):
        alignment = Alignment(256, 1.0, 128.0, 128.0)
        assert np.array_equal(align_picture(self.pixels, alignment), self.pixels[16:240, 16:240])

    def test_y_points_up(self):
        higher = Alignment(256, 1.0, 128.0, 138.0)
        assert np.array_equal(align_picture(self.pixels, higher), self.pixels[6:230, 16:240])

    def test_is_black_where_there_is_none(self):
        aligned = align_picture(self.pixels, Alignment(256, 1.0, 20.0, 128.0))
        assert not aligned[:, :92].any()
        assert np.array_equal(aligned[:, 92:], self.pixels[16:240, :132])

    def test_is_black_where_the_face_is_far_outside(self):
        aligned = align_picture(self.pixels, Alignment(256, 1.0, 2000.0, 128.0))
        assert aligned.shape == (224, 224, 3)
        assert not aligned.any()

    def test_of_a_face_of_two_pixels_is_made_without_gigabytes(self):
        aligned = align_picture(self.pixels, Alignment(256, 102.0, 128.0, 128.0))
        middle = self.pixels[126:130, 126:130].reshape(-1, 3)
        assert (np.abs(aligned.reshape(-1, 3).mean(0) - middle.mean(0)) < 60).all()
