"""The demo portrait, and bad and unusual ones, through the official pack's extractor with weights made by rule."""

import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, ShapeError
from sadtalker_pack.sadtalker_core.face.extract import find_landmarks
from sadtalker_pack.sadtalker_core.face.framing import FRAMINGS, PASTED_FRAMINGS
from sadtalker_pack.sadtalker_core.packs.official.extractor import RegressorExtractor, align_landmarks, frame_size
from sadtalker_pack.tests.support.official_networks import rule_regressor
from torch.nn import functional as F

HUGE = 8
"""Enlargement of the demo portrait after which the original reduces it before it cuts."""


@pytest.fixture(scope="module")
def extractor():
    network = RegressorExtractor(256)
    network.regressor = rule_regressor()
    return network.eval()


@pytest.fixture(scope="module")
def points(pack, demo_picture):
    return find_landmarks(pack.landmarker, demo_picture, 0)


@pytest.fixture(scope="module")
def faces(extractor, demo_picture, points):
    return {name: extractor.extract(demo_picture, points, framing=name, size=512) for name in FRAMINGS}


@pytest.fixture(scope="module")
def huge_picture(demo_picture):
    return F.interpolate(demo_picture[None], scale_factor=HUGE, mode="bilinear", align_corners=False)[0]


def in_picture(face):
    """Landmarks (478, 2) of a 256-pixel square in pixels of the whole picture."""
    crop = face.crop
    box = torch.tensor((crop.right - crop.left, crop.bottom - crop.top)) / 256
    return face.landmarks[:, :2] * box + torch.tensor((crop.left, crop.top))


class TestFramings:
    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_show_the_face_in_a_square(self, faces, points, demo_picture, framing):
        face = faces[framing]
        assert face.picture is demo_picture
        assert face.cropped.shape == (3, 256, 256)
        assert face.basis == "bfm09"
        assert torch.allclose(in_picture(face), points[:, :2], atol=1e-3)
        assert face.landmarks[:, :2].min() > 0
        assert face.landmarks[:, :2].max() < 256

    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_square_is_the_box_of_the_picture_in_8_bits(self, faces, demo_picture, framing):
        crop = faces[framing].crop
        part = demo_picture[None, :, crop.top : crop.bottom, crop.left : crop.right]
        expected = F.interpolate(part, (256, 256), mode="bilinear", align_corners=False)[0]
        levels = 255 * faces[framing].cropped
        assert (levels - levels.round()).abs().max() < 1e-4
        assert (levels - 255 * expected).abs().max() <= 1

    def test_full_ones_differ_from_crops_only_in_what_the_mapping_reads(self, faces):
        for crop, full in (("crop", "full"), ("extcrop", "extfull")):
            assert faces[crop].crop == faces[full].crop
            assert torch.equal(faces[crop].cropped, faces[full].cropped)
            assert torch.equal(faces[crop].coefficients.pose, faces[full].coefficients.pose)

    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_alignment_goes_with_the_pasted_ones(self, faces, framing):
        face = faces[framing]
        assert (face.coefficients.crop is not None) == (framing in PASTED_FRAMINGS)
        if face.coefficients.crop is not None:
            alignment = align_landmarks(face.landmarks, 256)
            assert face.coefficients.crop[0].tolist() == pytest.approx([alignment.scale, alignment.x, alignment.y])
            nose = face.landmarks[1]
            assert math.hypot(alignment.x - nose[0], 256 - alignment.y - nose[1]) < 40

    def test_resize_shows_everything_in_its_proportions(self, faces):
        assert faces["resize"].shows_whole_picture
        assert (faces["resize"].crop.width, faces["resize"].crop.height) == (256, 300)

    def test_extended_ones_keep_the_proportions_of_the_face(self, faces):
        small, large = faces["crop"].crop, faces["extcrop"].crop
        assert (small.width, small.height) == (large.width, large.height)
        assert large.left < small.left < small.right < large.right


class TestCoefficients:
    def test_have_one_frame(self, faces):
        coefficients = faces["crop"].coefficients
        assert coefficients.expression.shape == (1, 64)
        assert coefficients.pose.shape == (1, 6)
        assert faces["crop"].identity.shape == (80,)

    def test_do_not_depend_on_what_lies_around_the_crop(self, extractor, faces, demo_picture, points):
        padded = F.pad(demo_picture[None], (300, 300, 300, 300), mode="reflect")[0]
        moved = extractor.extract(padded, points + torch.tensor((300.0, 300.0, 0.0)), framing="crop", size=512)
        assert torch.allclose(moved.coefficients.expression, faces["crop"].coefficients.expression, atol=1e-4)


class TestFrameSize:
    def test_is_as_wide_as_the_networks(self):
        assert frame_size(256, (300, 310), 512) == (256, 264)

    def test_is_even(self):
        assert frame_size(256, (290, 310), 512) == (256, 272)

    @pytest.mark.parametrize("side", [256, 512])
    @pytest.mark.parametrize("proportions", [(300, 300), (300, 500), (500, 300), (90, 4000), (4000, 90)])
    @pytest.mark.parametrize("largest", [256, 301, 512])
    def test_never_exceeds_what_was_asked_for(self, side, proportions, largest):
        width, height = frame_size(side, proportions, largest)
        assert width % 2 == height % 2 == 0
        assert min(width, height) >= 2
        assert max(width, height) <= largest + 1
        assert width <= side


class TestUnusualPictures:
    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_a_face_at_the_border_has_a_box_inside_the_picture(self, extractor, demo_picture, points, framing):
        low, high = points.amin(0).int().tolist(), points.amax(0).int().tolist()
        tight = demo_picture[:, low[1] + 5 : high[1] - 5, low[0] + 5 : high[0] - 5]
        moved = points - torch.tensor((low[0] + 5.0, low[1] + 5.0, 0.0))
        face = extractor.extract(tight, moved, framing=framing, size=512)
        crop = face.crop
        assert (crop.left, crop.top) == (0, 0)
        assert crop.right <= tight.shape[2]
        assert crop.bottom <= tight.shape[1]
        assert torch.isfinite(face.coefficients.expression).all()

    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_a_tiny_face(self, extractor, demo_picture, points, framing):
        tiny = F.interpolate(demo_picture[None], (48, 41), mode="area")[0]
        face = extractor.extract(tiny, points * (48 / 600), framing=framing, size=512)
        assert face.cropped.shape == (3, 256, 256)
        assert torch.isfinite(face.coefficients.pose).all()

    def test_a_tiny_face_in_a_large_picture_needs_no_large_memory(self, extractor):
        points = torch.rand(478, 3, generator=torch.Generator().manual_seed(0)) * 16 + 2000
        face = extractor.extract(torch.rand(3, 4000, 4000), points, framing="resize", size=512)
        assert torch.isfinite(face.coefficients.pose).all()

    @pytest.mark.parametrize("framing", ["crop", "full", "extfull"])
    def test_a_face_of_3000_pixels_has_its_box_in_the_picture_s_own_pixels(
        self, extractor, faces, huge_picture, points, framing
    ):
        usual = faces[framing]
        huge = extractor.extract(huge_picture, HUGE * points, framing=framing, size=512)
        for side in ("left", "top", "right", "bottom"):
            assert getattr(huge.crop, side) / HUGE == pytest.approx(getattr(usual.crop, side), abs=1)
        assert torch.allclose(in_picture(huge) / HUGE, points[:, :2], atol=0.01)
        assert (huge.cropped - usual.cropped).abs().mean() < 0.02
        assert torch.allclose(huge.coefficients.expression, usual.coefficients.expression, atol=0.02)


class TestNoFace:
    def test_no_points(self, extractor, demo_picture):
        with pytest.raises(ShapeError, match=r"points: expected shape \(478, 3\), got \(0, 3\)"):
            extractor.extract(demo_picture, torch.zeros(0, 3), framing="crop", size=512)

    def test_points_that_are_no_numbers(self, extractor, demo_picture):
        with pytest.raises(FaceNotFoundError, match="no numbers"):
            extractor.extract(demo_picture, torch.full((478, 3), torch.nan), framing="crop", size=512)

    def test_points_in_one_place(self, extractor, demo_picture):
        with pytest.raises(FaceNotFoundError, match="all lie in one place"):
            extractor.extract(demo_picture, torch.full((478, 3), 300.0), framing="crop", size=512)

    @pytest.mark.parametrize("framing", ["crop", "extcrop", "full", "extfull"])
    def test_points_outside_the_picture(self, extractor, demo_picture, points, framing):
        with pytest.raises(FaceNotFoundError, match=r"Of the face only 0x\d+ pixels lie inside the 512x600 picture"):
            extractor.extract(demo_picture, points + torch.tensor((2000.0, 0, 0)), framing=framing, size=512)
