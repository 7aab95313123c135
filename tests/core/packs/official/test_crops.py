"""Boxes around faces: their size, their place in pictures of all kinds, and what is kept of the original's oddities."""

import numpy as np
import pytest
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError
from sadtalker_pack.sadtalker_core.packs.official.crops import crop_geometry, square_picture, whole_geometry


def landmarks(x, y, eyes, degrees=0.0):
    """68 points of an upright face whose eyes are ``eyes`` pixels apart, with (x, y) between them."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (-eyes / 2, 0), (eyes / 2, 0)
    points[48], points[54] = (-eyes / 3, eyes), (eyes / 3, eyes)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + (x, y)


class TestFace:
    def test_is_a_square_of_four_eye_distances(self):
        geometry = crop_geometry(landmarks(500, 400, 100), 1000, 1000)
        assert geometry.face == (300, 210, 700, 610)
        assert geometry.proportions == (400, 400)

    def test_has_room_around_it_in_the_extended_box(self):
        assert crop_geometry(landmarks(500, 400, 100), 1000, 1000).extended == (260, 170, 740, 650)

    def test_has_three_pixels_of_room_at_least(self):
        left, top, right, bottom = crop_geometry(landmarks(50, 40, 5), 100, 100).extended
        assert (right - left, bottom - top) == (20 + 2 * 3, 21 + 2 * 3)

    def test_is_bounded_by_the_turned_square(self):
        left, top, right, bottom = crop_geometry(landmarks(500, 500, 100, 45), 1000, 1000).face
        assert right - left == pytest.approx(400 * np.sqrt(2), abs=2)
        assert bottom - top == pytest.approx(400 * np.sqrt(2), abs=2)


class TestBorder:
    @pytest.mark.parametrize(("x", "y"), [(20, 500), (980, 500), (500, 20), (500, 980), (0, 0), (1000, 1000)])
    def test_boxes_stay_inside_the_picture(self, x, y):
        geometry = crop_geometry(landmarks(x, y, 100), 1000, 1000)
        for left, top, right, bottom in (geometry.face, geometry.extended):
            assert 0 <= left < right <= 1000
            assert 0 <= top < bottom <= 1000

    def test_a_face_outside_leaves_nothing(self):
        left, _, right, _ = crop_geometry(landmarks(2000, 500, 100), 1000, 1000).face
        assert right <= left

    def test_the_lower_edge_is_bounded_by_the_width_as_in_the_original(self):
        geometry = crop_geometry(landmarks(200, 300, 125), 400, 1000)
        assert geometry.extended == (0, 12, 400, 613)
        assert geometry.edges[3] == 400
        assert geometry.face[3] == 412

    def test_proportions_count_what_lies_below_the_picture_as_in_the_original(self):
        geometry = crop_geometry(landmarks(500, 300, 100), 1000, 400)
        assert geometry.proportions == (400, 400)
        assert geometry.face == (300, 110, 700, 400)


class TestHugePictures:
    def test_boxes_are_those_of_the_reduced_picture(self):
        points = landmarks(2000, 1600, 520)
        huge, half = crop_geometry(points, 4000, 4000), crop_geometry(points / 2, 2000, 2000)
        assert (huge.width, huge.height) == (2000, 2000)
        assert huge.extended == half.extended
        assert huge.face == half.face

    def test_boxes_in_the_picture_itself_are_larger(self):
        geometry = crop_geometry(landmarks(2000, 1600, 520), 4000, 4000)
        expected = tuple(2 * edge for edge in geometry.face)
        assert geometry.in_picture(geometry.face, 4000, 4000) == expected

    @pytest.mark.parametrize(("width", "height"), [(3999, 3201), (4001, 3999), (5003, 4001)])
    def test_boxes_in_the_picture_stay_inside(self, width, height):
        geometry = crop_geometry(landmarks(width / 2, height / 2, 1200), width, height)
        left, top, right, bottom = geometry.in_picture(geometry.extended, width, height)
        assert (left, top, right, bottom) == (0, 0, width, height)


class TestSquarePicture:
    pixels = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)

    def test_of_its_own_size_is_not_resampled(self):
        whole = whole_geometry(600, 400)
        assert np.array_equal(square_picture(self.pixels, whole, (10, 20, 266, 276), 256), self.pixels[20:276, 10:266])

    def test_squeezes_other_shapes(self):
        ramp = np.repeat(np.arange(200, dtype=np.uint8)[:, None, None], 600, 1).repeat(3, 2)
        whole = whole_geometry(600, 200)
        square = square_picture(ramp, whole, whole.face, 256)
        assert square.shape == (256, 256, 3)
        assert (np.diff(square[:, 0, 0].astype(int)) >= 0).all()
        assert square[128, :, 0].std() == 0

    def test_reduces_huge_pictures_first(self):
        huge = np.kron(self.pixels[:, :400], np.ones((10, 10, 1), np.uint8))
        geometry = crop_geometry(landmarks(2000, 1600, 520), 4000, 4000)
        square = square_picture(huge, geometry, geometry.face, 256)
        assert square.shape == (256, 256, 3)


def test_points_in_one_place_are_no_face():
    with pytest.raises(FaceNotFoundError, match="all lie in one place"):
        crop_geometry(np.full((68, 2), 50.0), 100, 100)
