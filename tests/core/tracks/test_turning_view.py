import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.flow import Keypoints
from sadtalker_pack.sadtalker_core.tracks.turning_view import BACKGROUND, MOUTH, SWING_SECONDS, turning_view

EMPTY = torch.tensor(BACKGROUND)[:, None, None] / 255


def drawn(frames):
    """(T, h, w) where there is something."""
    return ((frames - EMPTY).abs() > 0.05).any(1)


def middle(mask):
    """Mean row and column of (h, w)."""
    return mask.nonzero().double().mean(0)


@pytest.fixture(scope="module")
def face():
    """The mean face, in pixels: y down, z away from the camera."""
    mean = load_morphable_model(OPEN_ASSETS / "morphable.safetensors").mean
    return mean * torch.tensor((100.0, -100.0, -100.0)) + 200


@pytest.fixture
def ball():
    """A point in front of two others."""
    return torch.tensor(((0.0, 0.0, -1.0), (-1.0, 0.0, 1.0), (1.0, 0.0, 1.0)))


def test_pictures_of_a_face(face):
    steps = []
    track = Keypoints(face, face[None].repeat(3, 1, 1), 25.0)
    frames = turning_view(track, size=128, on_progress=lambda *step: steps.append(step))
    assert frames.shape == (3, 3, 128, 128)
    assert frames.min() >= 0
    assert frames.max() <= 1
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert 0.15 < float(drawn(frames).float().mean()) < 0.6


def test_an_open_mouth_is_dark_inside(face):
    wide = face.clone()
    wide[torch.tensor((14, 87, 317, 178, 402)), 1] += 25
    frames = turning_view(Keypoints(face, torch.stack((face, wide)), 25.0), size=256, swing=0)
    lips = torch.tensor(MOUTH)[:, None, None] / 255
    dark = [int(((frame - lips).abs().amax(0) < 0.12).sum()) for frame in frames]
    assert dark[1] > dark[0] + 100


def test_motion_of_the_head_is_seen(face):
    moved = face + torch.tensor((60.0, 30.0, 0.0))
    frames = turning_view(Keypoints(face, torch.stack((face, moved)), 25.0), size=256, swing=0)
    first, second = (middle(mask) for mask in drawn(frames))
    assert second[1] > first[1] + 5
    assert second[0] > first[0] + 2


def test_the_view_swings_to_one_side_and_the_other(ball):
    fps = 4.0
    count = int(SWING_SECONDS * fps)
    front = ball[:1].expand(count, 1, 3)
    nearest = torch.cat((front, front), 1)  # two points in one place, apart from the middle that the portrait has
    frames = turning_view(Keypoints(ball[:2], nearest, fps), size=128, swing=40)
    columns = torch.stack([middle(mask)[1] for mask in drawn(frames)])
    quarter = count // 4
    assert (columns[quarter] - columns[0]) * (columns[3 * quarter] - columns[0]) < 0
    assert columns[count // 2] == pytest.approx(float(columns[0]), abs=1)
    assert (columns[quarter] - columns[0]).abs() > 8


def test_points_of_another_renderer_are_balls_the_near_ones_larger(ball):
    frame = drawn(turning_view(Keypoints(ball, ball[None], 25.0), size=256, swing=0))[0]
    width = [int(frame[:, part].any(0).sum()) for part in (slice(0, 96), slice(96, 160), slice(160, 256))]
    assert width[1] > width[0] == width[2] > 0


@pytest.mark.parametrize("size", [62, 127, 4096])
def test_a_size_out_of_range_is_refused(ball, size):
    with pytest.raises(SadTalkerError, match="even number"):
        turning_view(Keypoints(ball, ball[None], 25.0), size=size)


def test_nan_is_refused(ball):
    with pytest.raises(SadTalkerError, match="NaN or infinite"):
        turning_view(Keypoints(ball, torch.full((2, 3, 3), torch.nan), 25.0), size=64)
    with pytest.raises(SadTalkerError, match="0 to 90"):
        turning_view(Keypoints(ball, ball[None], 25.0), size=64, swing=120)
