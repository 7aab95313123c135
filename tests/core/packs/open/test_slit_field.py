"""Around a slit the driven triangles themselves say where the picture comes from."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.aperture import MOUTH
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.regions import CHIN, INNER_LIPS, OUTER_LIPS
from sadtalker_pack.sadtalker_core.packs.open.slit_field import build_slit_mesh, draw_slit_field

SIZE, STRIDE = 256, 2
LOWER = [*INNER_LIPS[11:], *OUTER_LIPS[11:], *CHIN]


@pytest.fixture(scope="module")
def landmarks(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture, size=SIZE).landmarks


@pytest.fixture(scope="module")
def mesh():
    return build_slit_mesh(MOUTH)


def field(mesh, landmarks, driving, size=SIZE):
    return draw_slit_field(mesh, landmarks, driving, size // STRIDE, size // STRIDE, STRIDE)


def dropped(landmarks, pixels):
    driving = landmarks[None].clone()
    driving[:, LOWER, 1] += pixels
    return driving


def at(drawn, values, point):
    """(2, ...) of a field at a point of the picture, above and below the slit."""
    column, row = (int(float(value) / STRIDE) for value in point)
    return values[:, 0, :, row - drawn.window.top, column - drawn.window.left]


def test_nothing_moves_at_rest(mesh, landmarks):
    drawn = field(mesh, landmarks, landmarks[None])
    sure = drawn.weight > 0.5
    assert sure.any()
    assert (drawn.backward.abs() * sure).max() < 0.6


def test_each_side_of_an_open_mouth_comes_from_its_own_lip(mesh, landmarks):
    driving = dropped(landmarks, 14.0)
    drawn = field(mesh, landmarks, driving)
    above, below = at(drawn, drawn.backward, driving[0, 13, :2])
    assert abs(float(above[1])) < 1.5
    above, below = at(drawn, drawn.backward, driving[0, 17, :2])
    assert float(below[1]) == pytest.approx(-14, abs=2)


def test_lips_that_cross_meet(mesh, landmarks):
    """A lower lip driven above the upper one is a closed mouth, not a hole."""
    drawn = field(mesh, landmarks, dropped(landmarks, -12.0))
    assert drawn.backward.isfinite().all()
    assert drawn.backward.abs().max() < 30


def test_the_field_ends_before_its_window(mesh, landmarks):
    weight = field(mesh, landmarks, dropped(landmarks, 14.0)).weight
    for edge in (weight[..., 0, :], weight[..., -1, :], weight[..., 0], weight[..., -1]):
        assert edge.max() < 0.02
    assert weight.max() > 0.99


def test_a_larger_picture_gives_the_same(mesh, landmarks):
    driving = dropped(landmarks, 10.0)
    one, other = field(mesh, landmarks, driving), field(mesh, landmarks, driving, 2 * SIZE)
    assert one.window == other.window
    assert torch.equal(one.backward, other.backward)


def test_frames_of_a_batch_do_not_mix(mesh, landmarks):
    both = torch.cat((dropped(landmarks, 14.0), dropped(landmarks, 2.0)))
    drawn = field(mesh, landmarks, both)
    (alone,) = (field(mesh, landmarks, both[:1]),)
    point = both[0, 17, :2]
    assert torch.allclose(at(drawn, drawn.backward, point), at(alone, alone.backward, point), atol=1e-4)
