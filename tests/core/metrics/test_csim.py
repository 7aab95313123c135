from math import cos, radians, sin

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.crop import crop_picture
from sadtalker_pack.sadtalker_core.face.landmarks import load_landmarker
from sadtalker_pack.sadtalker_core.face.measures import five_points
from sadtalker_pack.sadtalker_core.face.regions import LEFT_EYE, RIGHT_EYE
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.flow import Crop
from sadtalker_pack.sadtalker_core.metrics.csim import STANDARD_POINTS, IdentitySimilarity, aligned_faces
from sadtalker_pack.sadtalker_core.metrics.networks.arcface import ArcFace
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip
from sadtalker_pack.sadtalker_core.metrics.weight_files import ARCFACE
from sadtalker_pack.tests.support.evaluation_files import filled
from torch import nn


def face(scale=1.0, degrees=0.0, x=0.0, y=0.0):
    """Landmarks (478, 3) whose five points are the standard ones, enlarged, turned and moved."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    five = scale * torch.tensor(STANDARD_POINTS) @ torch.tensor([[c, s], [-s, c]]) + torch.tensor([x, y])
    points = torch.zeros(478, 3)
    points[list(LEFT_EYE), :2] = five[0]
    points[list(RIGHT_EYE), :2] = five[1]
    points[[4, 61, 291], :2] = five[2:]
    return points


def ramps():
    """Red grows by one each column, green each row."""
    rows, columns = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    return torch.stack((columns, rows, torch.zeros_like(rows))).byte()


def test_an_eye_is_the_middle_of_its_lids():
    points = face()
    points[list(LEFT_EYE), 0] += torch.linspace(-5, 5, len(LEFT_EYE))
    points[468:] = 99  # the irises
    assert torch.allclose(five_points(points[None])[0], torch.tensor(STANDARD_POINTS), atol=1e-4)


@pytest.mark.parametrize("place", [(1.0, 0.0, 40.0, 30.0), (2.0, 0.0, 10.0, 5.0), (1.5, 20.0, 70.0, 10.0)])
def test_a_face_is_laid_over_the_standard_one(place):
    """Each aligned pixel shows the colour, and so tells the place, that it was taken from."""
    scale, degrees, x, y = place
    found = aligned_faces(ramps()[None], face(*place)[None])[0].float()
    assert found.shape == (3, 112, 112)
    rows, columns = torch.meshgrid(torch.arange(112.0), torch.arange(112.0), indexing="ij")
    c, s = cos(radians(degrees)), sin(radians(degrees))
    wanted_x, wanted_y = scale * (c * columns - s * rows) + x, scale * (s * columns + c * rows) + y
    inside = (wanted_x > 1) & (wanted_x < 254) & (wanted_y > 1) & (wanted_y < 254)
    assert float(inside.float().mean()) > 0.8
    assert float((found[0] - wanted_x)[inside].abs().max()) <= 1
    assert float((found[1] - wanted_y)[inside].abs().max()) <= 1


def clip_of(frames, points, source=None, source_points=None):
    return VideoClip("a", frames, points, source=source, source_points=source_points)


class Average(nn.Module):
    """Stands for the network: the mean colour, BGR, of a face."""

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1), requires_grad=False)

    def forward(self, faces):
        return faces.mean((2, 3))


def plain(red, green, blue, count=1):
    return torch.tensor([red, green, blue], dtype=torch.uint8)[None, :, None, None].repeat(count, 1, 256, 256)


def test_mean_of_known_cosines_where_a_face_is_seen():
    """Equal, at right angles, and one frame without a face, which would be equal."""
    frames = torch.cat((plain(80, 0, 0, 20), plain(0, 0, 200, 10), plain(80, 0, 0, 1)))
    points = torch.stack([face(1.5, 0, 30, 30)] * 31)
    points[30] = torch.nan
    metric = IdentitySimilarity(Average())
    found = metric.measure(clip_of(frames, points, plain(160, 0, 0)[0], points[0]))
    assert found["csim"] == pytest.approx(20 / 30, abs=1e-6)


def test_what_the_network_sees_is_blue_first():
    embedding = IdentitySimilarity(Average())._embed(plain(10, 20, 40), face(1.5, 0, 30, 30)[None])
    assert torch.allclose(embedding, torch.tensor([[40.0, 20.0, 10.0]]) / 255)


@pytest.fixture(scope="module")
def portrait(demo_picture):
    """The demo portrait's face crop and its landmarks."""
    size = min(demo_picture.shape[1:])
    crop = crop_picture(demo_picture, Crop(0, 0, size, size, 256, 256))
    landmarker = load_landmarker(OPEN_ASSETS / "landmarker.safetensors")
    points = landmarker.landmarks(crop, landmarker.detect(crop)[0]).points
    return (crop * 255).round().byte(), points


def test_a_portrait_is_like_itself(portrait):
    picture, points = portrait
    metric = IdentitySimilarity(filled(ArcFace, ARCFACE.name))
    both = torch.stack((points, points))
    same = metric.measure(clip_of(picture.repeat(2, 1, 1, 1), both, picture, points))
    assert same["csim"] == pytest.approx(1, abs=1e-5)
    turned = metric.measure(clip_of(picture.flip(1).repeat(2, 1, 1, 1), both, picture, points))
    assert turned["csim"] < 0.999


@pytest.mark.parametrize(
    ("changes", "need"),
    [
        ({"source": None}, "the portrait"),
        ({"source_points": None}, "a face in the portrait"),
        ({"source_points": torch.full((478, 3), torch.nan)}, "a face in the portrait"),
        ({"points": torch.full((1, 478, 3), torch.nan)}, "frames in which a face is seen"),
    ],
)
def test_clips_that_lack_something(changes, need):
    whole = {"frames": plain(1, 2, 3), "points": face()[None], "source": plain(1, 2, 3)[0], "source_points": face()}
    with pytest.raises(NotMeasuredError, match=need):
        IdentitySimilarity(Average()).measure(clip_of(**whole | changes))
