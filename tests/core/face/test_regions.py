"""The vertex lists of the face mesh: sizes, order along the mesh's edges, and which side they lie on."""

from __future__ import annotations

import pytest
import torch
from sadtalker_pack.sadtalker_core.face import regions
from sadtalker_pack.sadtalker_core.face.topology import load_face_mesh

RINGS = ("INNER_LIPS", "OUTER_LIPS", "LEFT_EYE", "RIGHT_EYE", "FACE_OVAL")
SIZES = {
    "INNER_LIPS": 20,
    "OUTER_LIPS": 20,
    "LEFT_EYE": 16,
    "RIGHT_EYE": 16,
    "FACE_OVAL": 36,
    "LEFT_IRIS": 5,
    "RIGHT_IRIS": 5,
    "STABLE": 31,
}


def _edges() -> set[frozenset[int]]:
    triangles = load_face_mesh().triangles.tolist()
    return {frozenset((t[i], t[i - 1])) for t in triangles for i in range(3)}


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_cardinality(name: str, size: int) -> None:
    assert len(getattr(regions, name)) == size


@pytest.mark.parametrize("name", [*SIZES, "LEFT_BROW", "RIGHT_BROW", "CHIN", "OUTER_EYE_CORNERS"])
def test_vertices_exist_once(name: str) -> None:
    vertices = getattr(regions, name)
    assert len(set(vertices)) == len(vertices)
    assert all(0 <= v < 478 for v in vertices)


@pytest.mark.parametrize("name", RINGS)
def test_neighbours_in_a_ring_share_a_mesh_edge(name: str) -> None:
    ring, edges = getattr(regions, name), _edges()
    assert all(frozenset((ring[i - 1], ring[i])) in edges for i in range(len(ring)))


def test_left_is_the_left_of_the_picture() -> None:
    x = load_face_mesh().canonical[:, 0]
    for part in ("EYE", "BROW"):
        assert x[list(getattr(regions, f"LEFT_{part}"))].max() < 0
        assert x[list(getattr(regions, f"RIGHT_{part}"))].min() > 0
    left, right = regions.OUTER_EYE_CORNERS
    assert x[left] < 0 < x[right]


@pytest.mark.parametrize("name", ["INNER_LIPS", "OUTER_LIPS"])
def test_lips_run_from_the_left_corner_over_the_upper_lip(name: str) -> None:
    canonical, ring = load_face_mesh().canonical, list(getattr(regions, name))
    x, y = canonical[ring, 0], canonical[ring, 1]
    assert x.argmin() == 0
    assert x.argmax() == 10
    assert (y[1:10] > y[11:].flip(0)).all()  # y points up: each upper point lies above its partner


def test_eyes_are_mirror_images() -> None:
    canonical = load_face_mesh().canonical
    mirrored = canonical[list(regions.RIGHT_EYE)] * torch.tensor((-1.0, 1.0, 1.0))
    assert torch.allclose(canonical[list(regions.LEFT_EYE)], mirrored, atol=0.05)
