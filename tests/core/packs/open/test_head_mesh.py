"""The face mesh extended to the picture's border: it covers the picture, and its rings move as far as they should."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.regions import FACE_OVAL
from sadtalker_pack.sadtalker_core.packs.open.head_mesh import BORDER_POINTS, build_head_mesh, locate_pixels

SIZE, STRIDE, FACE = 256, 4, 478


@pytest.fixture(scope="module")
def landmarks(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture, size=SIZE).landmarks


@pytest.fixture(scope="module")
def mesh(landmarks):
    return build_head_mesh(landmarks, SIZE, SIZE)


def areas(mesh):
    corners = mesh.vertices[mesh.triangles][..., :2]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).abs() / 2


def test_begins_with_the_face_and_ends_with_the_border(mesh, landmarks):
    assert torch.allclose(mesh.vertices[:FACE], landmarks, atol=1e-4)
    border = mesh.vertices[-(4 * BORDER_POINTS - 4) :, :2]
    on_edge = (border == 0) | (border == SIZE)
    assert on_edge.any(1).all()


def test_triangles_outside_the_face_cover_the_rest_of_the_picture_once(mesh):
    outer = areas(mesh)[898:].sum()
    outline = mesh.vertices[list(FACE_OVAL), :2]
    ahead = outline.roll(-1, 0)
    face = (outline[:, 0] * ahead[:, 1] - outline[:, 1] * ahead[:, 0]).sum().abs() / 2
    assert float(outer + face) == pytest.approx(SIZE * SIZE, rel=0.002)


def test_nothing_moves_when_the_head_does_not(mesh):
    driven = mesh.drive(mesh.vertices[None, :FACE], mesh.vertices[None])
    assert torch.allclose(driven[0], mesh.vertices, atol=1e-4)


def test_rings_follow_less_the_further_out_they_are_and_the_border_stays(mesh):
    shifted = mesh.vertices[None] + torch.tensor([10.0, 0.0, 0.0])
    moved = (mesh.drive(shifted[:, :FACE], shifted)[0] - mesh.vertices)[:, 0]
    assert torch.allclose(moved[:FACE], torch.full((FACE,), 10.0), atol=1e-4)
    assert torch.allclose(moved[FACE:], 10 * mesh.follows, atol=1e-4)
    assert moved[-(4 * BORDER_POINTS - 4) :].abs().max() == 0
    centre = mesh.vertices[list(FACE_OVAL), :2].mean(0)
    distance = (mesh.vertices[FACE:, :2] - centre).norm(dim=1)
    near, far = distance < distance.quantile(0.2), distance > distance.quantile(0.6)
    assert mesh.follows[near].mean() > 3 * mesh.follows[far].mean()


def test_a_dropping_jaw_pulls_the_ring_beside_it(mesh):
    face = mesh.vertices[None, :FACE].clone()
    face[:, 152, 1] += 8
    moved = (mesh.drive(face, mesh.vertices[None])[0] - mesh.vertices)[FACE:, 1]
    held = mesh.anchor == 152
    assert torch.allclose(moved[held], 8 * mesh.yields[held], atol=1e-4)
    assert moved[held].max() > 2
    assert moved[~held].abs().max() < 1e-4


def test_weights_give_back_where_a_cell_lies(mesh):
    corners, weights = locate_pixels(mesh, SIZE, SIZE, STRIDE)
    assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-5)
    assert weights.min() >= 0
    places = (mesh.vertices[corners][..., :2] * weights[..., None]).sum(1)
    y, x = torch.meshgrid(*[(torch.arange(SIZE // STRIDE) + 0.5) * STRIDE] * 2, indexing="ij")
    off = (places - torch.stack((x.ravel(), y.ravel()), 1)).norm(dim=1)
    # Exact where the triangle holds the cell's centre. Polygons are drawn with their edges, so that a triangle may also
    # speak for a neighbouring cell, from its nearest place.
    assert float((off < 0.01).float().mean()) > 0.6
    assert float((off < STRIDE).float().mean()) > 0.99
