"""An eyeball seen through the lids, with its iris moved."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.aperture import LEFT_EYE_SLIT, measure_aperture
from sadtalker_pack.sadtalker_core.packs.open.eyeball import look

LENGTH, LEFT, MIDDLE = 60.0, 20.0, 40.0
IRIS = torch.tensor((LEFT + LENGTH / 2, MIDDLE))


@pytest.fixture(scope="module")
def eye():
    """An almond of 60 pixels between its corners, 20 high, level."""
    points = torch.zeros(1, 478, 2)
    for edge, sign in ((LEFT_EYE_SLIT.upper, -1), (LEFT_EYE_SLIT.lower, 1)):
        along = torch.linspace(0, 1, len(edge))
        points[0, list(edge), 0] = LEFT + LENGTH * along
        points[0, list(edge), 1] = MIDDLE + sign * 40 * along * (1 - along)
    return measure_aperture(LEFT_EYE_SLIT, points)


def inside():
    x, y = torch.meshgrid(torch.linspace(32, 68, 19), torch.linspace(37, 43, 7), indexing="ij")
    return torch.stack((x.ravel(), y.ravel()), 1)[None]


def test_nothing_moves_when_the_iris_does_not(eye):
    assert torch.allclose(look(eye, IRIS, torch.zeros(1, 2), inside()), inside(), atol=1e-3)


def test_where_the_iris_has_gone_the_portrait_s_iris_is_seen(eye):
    shift = torch.tensor([[6.0, 0.0], [-4.0, 0.0]])
    seen = look(eye, IRIS, shift, (IRIS + shift)[:, None])
    assert torch.allclose(seen[:, 0], IRIS.expand(2, -1), atol=0.1)


def test_corners_stay(eye):
    corners = torch.tensor([[[LEFT, MIDDLE], [LEFT + LENGTH, MIDDLE]]])
    assert torch.allclose(look(eye, IRIS, torch.tensor([[8.0, 0.0]]), corners), corners, atol=0.1)


def test_order_along_the_eye_is_kept(eye):
    line = torch.stack((torch.linspace(21, 79, 100), torch.full((100,), MIDDLE)), 1)[None]
    for shift in (-15.0, 15.0, 40.0):
        seen = look(eye, IRIS, torch.tensor([[shift, 0.0]]), line)[0, :, 0]
        assert (seen.diff() > 0).all()
        assert seen.min() >= LEFT
        assert seen.max() <= LEFT + LENGTH


def test_no_place_leaves_the_portrait_s_own_opening(eye):
    """Lids that open wider, or a gaze far up, show the last rows of the eyeball, never the lid."""
    x, y = torch.meshgrid(torch.linspace(25, 75, 30), torch.linspace(22, 58, 40), indexing="ij")
    seen = look(eye, IRIS, torch.tensor([[0.0, -12.0]]), torch.stack((x.ravel(), y.ravel()), 1)[None])
    along, over = eye.place(seen)
    upper, lower = eye.edges(along)
    assert (over <= upper + 0.01).all()
    assert (over >= lower - 0.01).all()
