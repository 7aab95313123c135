"""The demo portrait, and pictures made from it, become a SourceFace."""

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.crop import crop_picture
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.framing import FRAMINGS, MAX_OWN_SIZE, OWN_SIZE
from sadtalker_pack.sadtalker_core.face.measures import eye_distance
from sadtalker_pack.sadtalker_core.face.regions import FACE_OVAL
from sadtalker_pack.sadtalker_core.flow import Crop
from torch.nn import functional as F


def in_picture(face):
    """Landmarks (478, 2) in pixels of the whole picture."""
    return face.landmarks[:, :2] / torch.tensor(face.crop.scale) + torch.tensor((face.crop.left, face.crop.top))


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture)


class TestCrop:
    def test_lies_in_the_picture_and_keeps_its_proportions(self, face, demo_picture):
        crop = face.crop
        assert 0 <= crop.left < crop.right <= demo_picture.shape[2]
        assert 0 <= crop.top < crop.bottom <= demo_picture.shape[1]
        assert max(crop.width, crop.height) == 512
        assert crop.scale[0] == pytest.approx(crop.scale[1], rel=0.01)

    def test_holds_the_whole_head_with_room_around_it(self, face):
        oval = face.landmarks[list(FACE_OVAL), :2]
        width, height = face.crop.width, face.crop.height
        assert oval[:, 0].min() > 0.15 * width
        assert oval[:, 0].max() < 0.85 * width
        assert oval[:, 1].min() > 0.15 * height
        assert oval[:, 1].max() < 0.85 * height

    def test_is_the_resampled_part_of_the_picture(self, face, demo_picture):
        assert torch.equal(face.picture, demo_picture)
        assert torch.equal(face.cropped, crop_picture(demo_picture, face.crop))
        assert face.cropped.shape == (3, face.crop.height, face.crop.width)
        assert face.cropped.min() >= 0
        assert face.cropped.max() <= 1

    def test_of_its_own_size_is_not_resampled(self, demo_picture):
        same = crop_picture(demo_picture, Crop(10, 20, 110, 220, 100, 200))
        assert torch.equal(same, demo_picture[:, 20:220, 10:110])

    @pytest.mark.parametrize("size", [256, 301, 512, 1023])
    def test_sizes_are_even(self, pack, demo_picture, size):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture[:, :597, :509], size=size)
        assert face.cropped.shape[1] % 2 == 0
        assert face.cropped.shape[2] % 2 == 0
        assert abs(max(face.cropped.shape[1:]) - size) <= 1

    def test_at_the_border_is_moved_inside(self, pack, demo_picture):
        tight = demo_picture[:, 100:420, 130:400]
        face = extract_face(pack.landmarker, pack.extractor, tight)
        assert face.crop.left >= 0
        assert face.crop.top >= 0
        assert face.crop.right <= tight.shape[2]
        assert face.crop.bottom <= tight.shape[1]
        assert face.crop.scale[0] == pytest.approx(face.crop.scale[1], rel=0.01)

    def test_follows_the_face(self, pack, demo_picture, face):
        moved = torch.zeros(3, 1000, 1100)
        moved[:, 300:900, 400:912] = demo_picture
        found = extract_face(pack.landmarker, pack.extractor, moved)
        error = (in_picture(found) - in_picture(face)).median(0).values - torch.tensor((400.0, 300.0))
        assert error.abs().max() < 0.03 * eye_distance(in_picture(face))

    def test_extended_shows_more(self, pack, demo_picture, face):
        wide = extract_face(pack.landmarker, pack.extractor, demo_picture, framing="extcrop").crop
        assert wide.left < face.crop.left
        assert wide.bottom > face.crop.bottom


class TestFull:
    def test_is_the_whole_picture(self, pack, demo_picture):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing="full", size=512)
        assert (face.crop.left, face.crop.top, face.crop.right, face.crop.bottom) == (0, 0, 512, 600)
        assert (face.crop.height, face.crop.width) == (512, 436)

    def test_never_enlarges(self, pack, demo_picture):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture[:, :599, :511], framing="full", size=1024)
        assert abs(face.crop.width - 511) <= 1
        assert abs(face.crop.height - 599) <= 1
        assert face.crop.width % 2 == face.crop.height % 2 == 0


class TestOwnSize:
    """Frames of as many pixels as their part of the picture has."""

    @pytest.mark.parametrize("framing", ["crop", "extcrop"])
    def test_a_crop_is_not_resampled(self, pack, demo_picture, framing):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing=framing, size=OWN_SIZE)
        crop = face.crop
        assert abs(crop.width - (crop.right - crop.left)) <= 1
        assert abs(crop.height - (crop.bottom - crop.top)) <= 1

    @pytest.mark.parametrize(("width", "height"), [(512, 600), (511, 599), (512, 1999), (2001, 500)])
    def test_a_picture_of_any_proportions_stays_as_large_as_it_is(self, pack, demo_picture, width, height):
        picture = torch.full((3, height, width), 0.4)
        part = demo_picture[:, :height, :width]
        picture[:, : part.shape[1], : part.shape[2]] = part
        face = extract_face(pack.landmarker, pack.extractor, picture, framing="resize", size=OWN_SIZE)
        assert (abs(face.crop.width - width), abs(face.crop.height - height)) <= (1, 1)
        assert face.cropped.shape[1] % 2 == face.cropped.shape[2] % 2 == 0

    def test_a_huge_picture_is_reduced(self, pack, demo_picture):
        large = F.interpolate(demo_picture[None], (4800, 4096), mode="bilinear", align_corners=False)[0]
        assert (
            extract_face(pack.landmarker, pack.extractor, large, framing="full", size=OWN_SIZE).crop.height
            == MAX_OWN_SIZE
        )


@pytest.fixture(scope="module")
def group(demo_picture):
    """A small face on the left, a large one in the middle, a middle-sized one on the right."""
    picture = torch.full((3, 600, 1800), 0.4)
    for left, height in ((0, 200), (400, 600), (1200, 350)):
        small = F.interpolate(demo_picture[None], (height, height), mode="bilinear", antialias=True)[0]
        picture[:, 600 - height :, left : left + height] = small
    return picture


class TestSeveralFaces:
    def test_are_counted_by_size_or_from_the_left(self, pack, group):
        def middle(index, order):
            return float(
                in_picture(extract_face(pack.landmarker, pack.extractor, group, face_index=index, face_order=order))[
                    :, 0
                ].mean()
            )

        by_size = [middle(index, "largest first") for index in range(3)]
        assert [round(x / 600) for x in by_size] == [1, 2, 0]
        assert [middle(index, "left to right") for index in range(3)] == pytest.approx(sorted(by_size), abs=2)

    def test_small_ones_are_counted_in_the_message(self, pack, group):
        with pytest.raises(FaceNotFoundError, match=r"shows 3 face\(s\), so face_index must lie in 0\.\.2 .*got 3"):
            extract_face(pack.landmarker, pack.extractor, group, face_index=3)

    def test_unknown_orders_are_named(self, pack, group):
        with pytest.raises(SadTalkerError, match="one of largest first, left to right; got 'by age'"):
            extract_face(pack.landmarker, pack.extractor, group, face_order="by age")

    def test_a_region_chooses_one(self, pack, group):
        region = torch.zeros(600, 1800)
        region[420:560, 50:150] = 1
        chosen = in_picture(extract_face(pack.landmarker, pack.extractor, group, region=region))
        smallest = in_picture(extract_face(pack.landmarker, pack.extractor, group, face_index=2))
        assert (chosen - smallest).abs().mean() < 2


class TestLandmarks:
    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_agree_with_the_crop(self, pack, demo_picture, framing):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing=framing)
        detection = pack.landmarker.detect(face.cropped)[0]
        again = pack.landmarker.landmarks(face.cropped, detection).points
        distance = (again - face.landmarks)[:, :2].norm(dim=1) / eye_distance(face.landmarks)
        assert distance.mean() < 0.02
        assert distance.max() < 0.06

    def test_depth_is_in_pixels_and_negative_towards_the_camera(self, face):
        nose_tip, cheek = face.landmarks[1], face.landmarks[234]
        assert nose_tip[2] < cheek[2]
        assert 0.2 < float(cheek[2] - nose_tip[2]) / eye_distance(face.landmarks) < 1.5

    def test_are_the_same_in_a_picture_of_8000_pixels(self, pack, demo_picture, face):
        large = F.interpolate(demo_picture[None], (8000, 6827), mode="bilinear", align_corners=False)[0]
        found = extract_face(pack.landmarker, pack.extractor, large)
        scale = 8000 / 600
        distance = (in_picture(found) / scale - in_picture(face)).norm(dim=1) / eye_distance(in_picture(face))
        assert distance.mean() < 0.02
        assert max(found.cropped.shape[1:]) == 512


class TestFit:
    def test_is_one_frame_in_the_basis_of_the_pack(self, pack, face):
        assert face.basis == pack.basis
        assert face.identity.shape == (80,)
        assert face.coefficients.expression.shape == (1, 64)
        assert face.coefficients.pose.shape == (1, 6)

    def test_sees_an_upright_frontal_head(self, face):
        assert face.coefficients.pose[0, :3].abs().max() < 0.2

    def test_a_picture_turned_counterclockwise_is_roll(self, pack, demo_picture, face):
        angle = 0.3
        cos, sin = np.cos(angle), np.sin(angle)
        turn = torch.tensor([[[cos, -sin, 0], [sin, cos, 0]]], dtype=torch.float32)
        padded = F.pad(demo_picture[None], (44, 44, 0, 0), value=0.5)
        turned = F.grid_sample(padded, F.affine_grid(turn, list(padded.shape), False), align_corners=False)[0]
        found = extract_face(pack.landmarker, pack.extractor, turned)
        change = found.coefficients.pose[0, :3] - face.coefficients.pose[0, :3]
        assert change[2].item() == pytest.approx(angle, abs=0.05)
        assert change[:2].abs().max() < 0.1

    def test_is_repeatable(self, pack, demo_picture, face):
        again = extract_face(pack.landmarker, pack.extractor, demo_picture)
        assert torch.equal(again.landmarks, face.landmarks)
        assert torch.equal(again.coefficients.expression, face.coefficients.expression)


@pytest.mark.parametrize("size", [1, 255, 1025])
def test_sizes_out_of_range_are_named(pack, demo_picture, size):
    with pytest.raises(SadTalkerError, match=rf"size must lie in 256\.\.1024 pixels; got {size}"):
        extract_face(pack.landmarker, pack.extractor, demo_picture, size=size)


def test_unknown_framings_are_named(pack, demo_picture):
    with pytest.raises(SadTalkerError, match="framing must be one of crop, extcrop, resize, full, extfull; got 'wide'"):
        extract_face(pack.landmarker, pack.extractor, demo_picture, framing="wide")
