import torch
from sadtalker_pack.sadtalker_core.face.topology import load_face_mesh


def test_triangles_cover_every_vertex_without_holes_inside():
    mesh = load_face_mesh()
    assert mesh.triangles.shape == (898, 3)
    assert mesh.triangles.unique().tolist() == list(range(468))
    edges = torch.cat([mesh.triangles[:, pair] for pair in ((0, 1), (1, 2), (2, 0))]).sort(1).values
    unique, uses = edges.unique(dim=0, return_counts=True)
    assert uses.max() == 2  # a surface
    border = unique[uses == 1]
    assert len(border) == 36  # one closed border, the face's oval
    assert 468 - len(unique) + 898 == 1  # Euler: a disc


def test_canonical_face_looks_at_the_camera():
    mesh = load_face_mesh()
    assert mesh.canonical.shape == (468, 3)
    assert mesh.canonical[4, 2] == mesh.canonical[:, 2].max() or mesh.canonical[1, 2] > mesh.canonical[234, 2]
    assert mesh.canonical[10, 1] > mesh.canonical[4, 1] > mesh.canonical[152, 1]
    a, b, c = mesh.canonical[mesh.triangles].unbind(1)
    normals = torch.linalg.cross(b - a, c - a)
    assert (normals[:, 2] > 0).float().mean() > 0.9


def test_texture_coordinates_lie_in_the_unit_square():
    uv = load_face_mesh().uv
    assert uv.shape == (468, 2)
    assert uv.min() >= 0
    assert uv.max() <= 1
