"""Faces whose place a person gives: a region of the picture, five points, or sixty-eight."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.face.extract import extract_face, find_landmarks
from sadtalker_pack.sadtalker_core.face.manual import (
    landmarks_from_points,
    landmarks_in_region,
    points_from_text,
)
from sadtalker_pack.sadtalker_core.face.measures import eye_distance
from sadtalker_pack.sadtalker_core.face.points68 import points68
from sadtalker_pack.sadtalker_core.face.regions import FIVE_POINTS


@pytest.fixture(scope="module")
def found(pack, demo_picture):
    """What the landmarker itself finds, (478, 3)."""
    return find_landmarks(pack.landmarker, demo_picture, 0)


def five(points):
    return torch.stack([points[list(part), :2].mean(0) for part in FIVE_POINTS])


def error(points, found):
    """Mean distance in the picture, in distances between the eyes."""
    return float((points - found)[:, :2].norm(dim=1).mean() / eye_distance(found))


class TestPoints:
    def test_all_68_give_nearly_the_landmarks(self, found):
        assert error(landmarks_from_points(points68(found), 512, 600), found) < 0.01

    def test_five_give_the_face(self, found):
        assert error(landmarks_from_points(five(found), 512, 600), found) < 0.04

    def test_are_met_exactly(self, found):
        given = points68(found) + torch.randn(68, 2)
        torch.testing.assert_close(points68(landmarks_from_points(given, 512, 600)), given, atol=0.01, rtol=0)

    def test_five_are_met_to_a_pixel(self, found):
        given = five(found) + 3 * torch.randn(5, 2)  # a pupil is a mean of the eyelids, which bend
        assert (five(landmarks_from_points(given, 512, 600)) - given).abs().max() < 1

    @pytest.mark.parametrize("choose", [five, points68])
    def test_depth_is_that_of_the_landmarks(self, found, choose):
        depth = landmarks_from_points(choose(found), 512, 600)[:, 2]
        both = torch.stack((depth, found[:, 2]))
        assert torch.corrcoef(both)[0, 1] > 0.95
        assert depth.std() / found[:, 2].std() == pytest.approx(1, abs=0.15)

    def test_a_turned_face_keeps_its_shape(self, found):
        turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        centre = torch.tensor((256.0, 300.0))
        turned = (found[:, :2] - centre) @ turn + centre
        given = landmarks_from_points((five(found) - centre) @ turn + centre, 512, 600)
        assert error(given, torch.cat((turned, found[:, 2:]), 1)) < 0.04

    def test_a_face_can_be_driven_from_them(self, pack, demo_picture, found):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, points=five(found), size=256)
        assert face.coefficients.pose[0, :3].abs().max() < 0.2

    def test_nothing_is_looked_for(self, pack):
        given = torch.tensor([[100.0, 100.0], [160.0, 100.0], [130.0, 140.0], [108.0, 165.0], [152.0, 165.0]])
        face = extract_face(
            pack.landmarker, pack.extractor, torch.full((3, 300, 260), 0.5), points=given, framing="full", size=256
        )
        assert face.landmarks.shape == (478, 3)

    @pytest.mark.parametrize("count", [0, 4, 6, 67, 478])
    def test_another_number_is_named(self, count):
        with pytest.raises(SadTalkerError, match=rf"5 or 68 points \(N, 2\).*\({count}, 2\)"):
            landmarks_from_points(torch.rand(count, 2), 10, 10)

    @pytest.mark.parametrize("bad", [-1.0, 513.0, float("nan"), float("inf")])
    def test_outside_the_picture_is_named(self, found, bad):
        given = five(found)
        given[2, 0] = bad
        with pytest.raises(FaceNotFoundError, match="inside the 512x600 picture"):
            landmarks_from_points(given, 512, 600)

    def test_eyes_and_mouth_corners_exchanged_are_named(self, found):
        with pytest.raises(FaceNotFoundError, match=r"Their order is: the eye on the picture's left"):
            landmarks_from_points(five(found)[[1, 0, 2, 4, 3]], 512, 600)

    @pytest.mark.parametrize("given", [torch.full((5, 2), 3.0), torch.arange(10.0).reshape(5, 2)])
    def test_on_one_line_is_named(self, given):
        with pytest.raises(FaceNotFoundError, match="nearly on one line"):
            landmarks_from_points(given, 100, 100)


class TestText:
    @pytest.mark.parametrize(
        "text", ["1 2 3 4 5 6 7 8 9 10.5", "[[1,2],[3,4],[5,6],[7,8],[9,10.5]]", "1, 2; 3, 4\n5, 6; 7, 8; 9, 1.05e1"]
    )
    def test_numbers_are_read_whatever_stands_between(self, text):
        assert points_from_text(text).tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10.5]]

    def test_68_points(self):
        assert points_from_text(" ".join(map(str, range(136)))).shape == (68, 2)

    @pytest.mark.parametrize(("text", "count"), [("", 0), ("left eye", 0), ("1 2 3", 3), ("1 " * 11, 11)])
    def test_another_number_is_named(self, text, count):
        with pytest.raises(SadTalkerError, match=rf"10 or 136 numbers; got {count}"):
            points_from_text(text)


class TestRegion:
    @pytest.mark.parametrize("grown", [-0.15, 0.0, 0.4])
    def test_finds_the_face_in_it(self, pack, demo_picture, found, grown):
        low, high = found[:, :2].amin(0), found[:, :2].amax(0)
        room = grown * (high - low)
        (left, top), (right, bottom) = (low - room).int().tolist(), (high + room).int().tolist()
        region = torch.zeros(demo_picture.shape[1:])
        region[top:bottom, left:right] = 1
        assert error(landmarks_in_region(pack.landmarker, demo_picture, region), found) < 0.02

    def test_finds_what_the_detector_misses(self, pack, demo_picture, found, monkeypatch):
        monkeypatch.setattr(pack.landmarker, "detect_each", lambda pictures: [()])
        region = torch.zeros(demo_picture.shape[1:])
        (left, top), (right, bottom) = found[:, :2].amin(0).int().tolist(), found[:, :2].amax(0).int().tolist()
        region[top:bottom, left:right] = 1
        assert error(landmarks_in_region(pack.landmarker, demo_picture, region), found) < 0.02

    def test_an_empty_one_is_named(self, pack, demo_picture):
        with pytest.raises(FaceNotFoundError, match="no painted part"):
            landmarks_in_region(pack.landmarker, demo_picture, torch.zeros(demo_picture.shape[1:]))

    def test_one_without_a_face_is_named(self, pack, demo_picture):
        region = torch.zeros(demo_picture.shape[1:])
        region[:120, 380:500] = 1
        with pytest.raises(FaceNotFoundError, match=r"under the mask, 120x120 pixels at \(380, 0\)"):
            landmarks_in_region(pack.landmarker, demo_picture, region)

    def test_another_size_is_named(self, pack, demo_picture):
        with pytest.raises(ShapeError, match=r"region: expected shape \(600, 512\)"):
            landmarks_in_region(pack.landmarker, demo_picture, torch.ones(64, 64))
