"""The landmarker against Google's own networks (golden), and on pictures made from one portrait."""

import math
from pathlib import Path

import cv2
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError, WeightsError
from sadtalker_pack.sadtalker_core.face import regions
from sadtalker_pack.sadtalker_core.face.landmarks import (
    FaceDetection,
    FaceRegion,
    crop_region,
    load_landmarker,
    regions_of_points,
)
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[3]
ASSETS = ROOT / "sadtalker_core" / "assets"
LANDMARKER_FILE = ASSETS / "open" / "landmarker.safetensors"
GOLDEN_FILE = ROOT / "tests" / "goldens" / "landmarker.safetensors"


@pytest.fixture(scope="module")
def golden():
    """Made by ``python -m sadtalker_core.training.convert_landmarks TASK --out … --golden FILE``."""
    return load_file(GOLDEN_FILE)


@pytest.fixture(scope="module")
def portrait():
    pixels = cv2.imread(str(ASSETS / "demo" / "portrait.jpg"))
    assert pixels is not None
    return torch.from_numpy(pixels[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def face(landmarker, portrait):
    return landmarker.landmarks(portrait, landmarker.detect(portrait)[0])


def doubled(pictures):
    return (pictures.float() / 255).repeat_interleave(2, 2).repeat_interleave(2, 3)


def resized(picture, height, width):
    return F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True)[0]


def error(points, expected):
    """Mean distance in the picture, as a share of the distance between the irises."""
    irises = (expected[468, :2] - expected[473, :2]).norm()
    return float((points - expected)[:, :2].norm(dim=1).mean() / irises)


def inside(point, ring):
    """Whether a point lies in a convex ring that runs clockwise or counter-clockwise."""
    edges = ring.roll(-1, 0) - ring
    offsets = point - ring
    sides = edges[:, 0] * offsets[:, 1] - edges[:, 1] * offsets[:, 0]
    return bool((sides > 0).all() or (sides < 0).all())


class TestNetworks:
    @torch.no_grad()
    def test_detector_answers_as_the_original(self, landmarker, golden):
        found = landmarker.detector(doubled(golden["detector_input"]) * 2 - 1)
        assert golden["detector_logits"].max() > 1  # the golden shows a face
        torch.testing.assert_close(found.boxes, golden["detector_boxes"], atol=5e-3, rtol=1e-4)
        torch.testing.assert_close(found.logits, golden["detector_logits"], atol=5e-3, rtol=1e-4)

    @torch.no_grad()
    def test_mesh_answers_as_the_original(self, landmarker, golden):
        found = landmarker.mesh(doubled(golden["mesh_input"]))
        assert golden["mesh_logits"].item() > 5
        torch.testing.assert_close(found.points, golden["mesh_points"], atol=5e-3, rtol=1e-4)
        torch.testing.assert_close(found.logits, golden["mesh_logits"], atol=5e-3, rtol=1e-4)

    @torch.no_grad()
    def test_a_batch_answers_as_its_pictures_alone(self, landmarker):
        pictures = torch.rand(3, 3, 256, 256)
        together = landmarker.mesh(pictures).points
        alone = torch.cat([landmarker.mesh(picture[None]).points for picture in pictures])
        torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-4)

    def test_a_file_that_lacks_a_layer_is_refused(self, tmp_path):
        tensors = load_file(LANDMARKER_FILE)
        del tensors["mesh.stages.3.0.expand.weight"]
        save_file(tensors, tmp_path / "short.safetensors")
        with pytest.raises(WeightsError, match=r"Missing: mesh\.stages\.3\.0\.expand\.weight"):
            load_landmarker(tmp_path / "short.safetensors")

    def test_loaded_networks_are_float32_and_do_not_train(self, landmarker):
        assert {p.dtype for p in landmarker.parameters()} == {torch.float32}
        assert not landmarker.training
        assert not any(p.requires_grad for p in landmarker.parameters())


class TestPortrait:
    def test_one_face_is_detected(self, landmarker, portrait):
        (found,) = landmarker.detect(portrait)
        assert (found.box - torch.tensor((166.0, 145.0, 363.0, 341.0))).abs().max() < 15
        assert found.score > 0.9

    def test_parts_of_the_face_are_where_they_belong(self, face):
        plane = face.points[:, :2]
        assert face.presence > 0.99
        for ring, iris in ((regions.LEFT_EYE, regions.LEFT_IRIS), (regions.RIGHT_EYE, regions.RIGHT_IRIS)):
            assert inside(plane[iris[0]], plane[list(ring)])
        heights = [plane[list(part), 1].mean().item() for part in (regions.LEFT_BROW, regions.LEFT_EYE, (4,))]
        heights += [plane[list(part), 1].mean().item() for part in (regions.OUTER_LIPS, regions.CHIN)]
        assert heights == sorted(heights)
        assert plane[33, 0] < plane[4, 0] < plane[263, 0]

    def test_nose_tip_is_nearest_to_the_camera(self, face):
        assert face.points[4, 2] < face.points[[234, 454], 2].min() - 50

    def test_irises_lie_on_the_detected_eyes(self, landmarker, portrait, face):
        eyes = landmarker.detect(portrait)[0].keypoints[:2]
        assert (face.points[[468, 473], :2] - eyes).norm(dim=1).max() < 8

    def test_a_picture_half_the_size_gives_half_the_coordinates(self, landmarker, portrait, face):
        half = resized(portrait, 300, 256)
        found = landmarker.landmarks(half, landmarker.detect(half)[0])
        assert error(found.points * 2, face.points) < 0.02

    @pytest.mark.parametrize("degrees", [20, -20])
    def test_points_turn_with_the_picture(self, landmarker, portrait, face, degrees):
        matrix = cv2.getRotationMatrix2D((256, 300), degrees, 1)
        pixels = cv2.warpAffine(portrait.permute(1, 2, 0).numpy(), matrix, (512, 600), flags=cv2.INTER_LINEAR)
        turned = torch.from_numpy(pixels).permute(2, 0, 1)
        found = landmarker.landmarks(turned, landmarker.detect(turned)[0])
        turn = torch.from_numpy(matrix).float()
        expected = face.points.clone()
        expected[:, :2] = (face.points[:, :2] - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5  # OpenCV counts from centres
        assert found.presence > 0.99
        assert error(found.points, expected) < 0.03

    def test_an_inaccurate_detection_gives_the_same_points(self, landmarker, portrait, face):
        found = landmarker.detect(portrait)[0]
        moved = FaceDetection(found.box + torch.tensor((-12.0, -10.0, 6.0, 14.0)), found.keypoints, found.score)
        assert error(landmarker.landmarks(portrait, moved).points, face.points) < 0.01

    def test_where_no_face_is_presence_is_low(self, landmarker, portrait):
        elsewhere = FaceDetection(torch.tensor((0.0, 420.0, 150.0, 570.0)), torch.rand(6, 2), 0.9)
        assert landmarker.landmarks(portrait, elsewhere).presence < 0.5

    def test_results_can_be_used_in_training(self, face):
        weight = torch.ones(3, requires_grad=True)
        (face.points * weight).sum().backward()
        assert weight.grad is not None


class TestDetection:
    @pytest.mark.parametrize("picture", [torch.zeros(3, 300, 400), torch.ones(3, 300, 400)], ids=["black", "white"])
    def test_an_empty_picture_has_no_face(self, landmarker, picture):
        assert landmarker.detect(picture) == ()

    def test_noise_has_no_face(self, landmarker):
        assert landmarker.detect(torch.rand(3, 500, 700)) == ()

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (32, 32), (3, 900), (2100, 2)])
    def test_odd_sizes_are_no_trouble(self, landmarker, height, width):
        for face in landmarker.detect(torch.rand(3, height, width)):
            assert landmarker.landmarks(torch.rand(3, height, width), face).points.isfinite().all()

    def test_a_picture_of_32_pixels_is_enough(self, landmarker, portrait):
        assert len(landmarker.detect(resized(portrait[:, 60:460, 56:456], 32, 32))) == 1

    def test_two_faces_come_largest_first(self, landmarker, portrait):
        small = F.pad(resized(portrait, 420, 358), (0, 0, 90, 90))
        smaller, larger = landmarker.detect(torch.cat((small, portrait), 2))[::-1]
        assert larger.area > smaller.area
        assert larger.box[0] > 358 > smaller.box[2]
        widths = [landmarker.landmarks(torch.cat((small, portrait), 2), f).points[:, 0] for f in (larger, smaller)]
        assert widths[0].min() > 358 > widths[1].max()

    def test_a_small_face_in_a_large_picture_is_found(self, landmarker, portrait):
        picture = torch.full((3, 1500, 2000), 0.4) + 0.2 * torch.rand(3, 1500, 2000)
        scale = 0.3  # the face is 60 pixels wide, 3 % of the picture
        small = resized(portrait, round(600 * scale), round(512 * scale))
        picture[:, 700 : 700 + small.shape[1], 1500 : 1500 + small.shape[2]] = small
        (found,) = landmarker.detect(picture)
        centre = (found.box[:2] + found.box[2:]) / 2
        assert (centre - torch.tensor((1500 + 265 * scale, 700 + 243 * scale))).norm() < 12
        assert landmarker.landmarks(picture, found).presence > 0.9

    def test_a_wrong_shape_is_named(self, landmarker):
        with pytest.raises(ShapeError, match=r"picture: expected shape \(3, H, W\), got \(1, 8, 8\)"):
            landmarker.detect(torch.rand(1, 8, 8))


class TestRegion:
    def test_crop_and_points_agree(self):
        picture = torch.zeros(3, 200, 300)
        picture[:, 99:101, 149:151] = 1  # a dot around (150, 100)
        region = FaceRegion(160.0, 90.0, 128.0, 0.5)
        crop = crop_region(picture[None], region)[0, 0]
        y, x = divmod(int(crop.argmax()), 256)
        found = region.to_picture(torch.tensor([[x + 0.5, y + 0.5, 2.0]]))
        torch.testing.assert_close(found, torch.tensor([[150.0, 100.0, 1.0]]), atol=0.7, rtol=0)

    def test_a_large_region_is_averaged_not_sampled(self):
        stripes = torch.tensor((0.0, 1.0)).repeat(512).expand(3, 1024, 1024)
        crop = crop_region(stripes[None], FaceRegion(512.0, 512.0, 1000.0, 0.0))
        assert crop.std() < 0.17

    def test_a_region_outside_the_picture_is_black(self):
        crop = crop_region(torch.ones(2, 3, 50, 50), FaceRegion(500.0, 500.0, 100.0, 0.0))
        assert crop.shape == (2, 3, 256, 256)
        assert crop.abs().max() == 0

    def test_the_region_of_turned_points_turns(self, face):
        angle = 0.4
        turn = torch.tensor(((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))))
        turned = face.points.clone()
        turned[:, :2] = face.points[:, :2] @ turn.T
        before, after = regions_of_points(torch.stack((face.points, turned)))
        assert after.angle == pytest.approx(before.angle + angle, abs=1e-4)
        assert after.size == pytest.approx(before.size, rel=1e-4)
        assert before.distance(before) == 0
        assert before.distance(FaceRegion(before.x, before.y, before.size, before.angle + 0.1)) == pytest.approx(0.1)
