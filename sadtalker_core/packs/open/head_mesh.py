"""The face mesh, extended over hair, ears and neck to the picture's border, and triangulated once in the source."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from ...face.regions import FACE_OVAL
from ...face.topology import load_face_mesh
from ...pictures.ramps import smoothstep

RINGS = (1.18, 1.45, 1.8, 2.3)
"""Scale of each ring around the face's outline, about the face's centre."""
RING_FOLLOWS = (1.0, 0.9, 0.45, 0.1)
"""Weight of the head's rigid motion that each ring makes: hair and ears go with the face, the background stays."""
RING_YIELDS = (0.6, 0.25, 0.0, 0.0)
"""Weight of the outline's own deformation (a dropping jaw) that each ring makes."""
NECK_FOLLOWS = 0.55
"""Factor on a ring's weight straight below the chin, where neck and shoulders hold the head."""
BORDER_POINTS = 12
"""Static points along each side of the picture."""


@dataclass(frozen=True, slots=True)
class HeadMesh:
    """Vertices 0..477 are the face's; then come the rings (outside in), then the static border."""

    vertices: Tensor
    """(V, 3) source positions, pixels"""
    triangles: Tensor
    """(F, 3) int64; a partition of the picture where the face does not hide parts of itself"""
    follows: Tensor
    """(V - 478,) weight of the head's rigid motion"""
    yields: Tensor
    """(V - 478,) weight of the deformation of the outline vertex in ``anchor``"""
    anchor: Tensor
    """(V - 478,) int64 vertex of the face's outline that each outer vertex belongs to"""

    def drive(self, face: Tensor, rigid: Tensor) -> Tensor:
        """Positions (B, V, 3) of all vertices.

        Args:
            face: (B, 478, 3) driving face vertices.
            rigid: (B, V, 3) source vertices under the head's rigid motion alone.
        """
        count = face.shape[1]
        outer_source, outer_rigid = self.vertices[count:], rigid[:, count:]
        deformation = (face - rigid[:, :count])[:, self.anchor]
        outer = outer_source + self.follows[:, None] * (outer_rigid - outer_source) + self.yields[:, None] * deformation
        return torch.cat((face, outer), 1)


def build_head_mesh(landmarks: Tensor, width: int, height: int) -> HeadMesh:
    """Mesh for landmarks (478, 3) in pixels of a picture of that size."""
    face = landmarks.cpu().double().numpy()
    outline = np.asarray(FACE_OVAL)
    centre = face[outline].mean(0)
    size = np.array((width, height), float)
    rings, follows, yields, anchor = [], [], [], []
    for scale, follow, give in zip(RINGS, RING_FOLLOWS, RING_YIELDS, strict=True):
        ring = centre + (face[outline] - centre) * (scale, scale, 1.0)
        room = np.minimum(ring[:, :2], size - ring[:, :2]).min(1) / (0.12 * min(width, height))
        inside = room > 0.15
        below = np.clip((ring[:, 1] - face[152, 1]) / (0.5 * (face[152, 1] - face[10, 1])) + 0.5, 0, 1)
        weight = follow * (1 - (1 - NECK_FOLLOWS) * below * (scale > RINGS[0])) * _smooth(room)
        rings.append(ring[inside])
        follows.append(weight[inside])
        yields.append(np.full(inside.sum(), give) * _smooth(room)[inside])
        anchor.append(outline[inside])
    border = _border(width, height)
    rings.append(border)
    follows.append(np.zeros(len(border)))
    yields.append(np.zeros(len(border)))
    anchor.append(np.full(len(border), outline[0]))
    vertices = np.concatenate((face, *rings))
    triangles = np.concatenate((load_face_mesh().triangles.numpy(), _outer_triangles(vertices, outline)))
    floats = {"follows": np.concatenate(follows), "yields": np.concatenate(yields)}
    return HeadMesh(
        vertices=torch.from_numpy(vertices).float(),
        triangles=torch.from_numpy(triangles).long(),
        anchor=torch.from_numpy(np.concatenate(anchor)),
        **{name: torch.from_numpy(value).float() for name, value in floats.items()},
    )


def locate_pixels(mesh: HeadMesh, width: int, height: int, stride: int) -> tuple[Tensor, Tensor]:
    """For each cell of a grid over the source: its triangle's vertices and their barycentric weights.

    Returns:
        (G, 3) int64 and (G, 3) float, G = (height / stride) * (width / stride) in row order; a cell stands for its
        centre. Where the face hides a part of itself, the triangle nearest to the camera counts.
    """
    rows, columns = height // stride, width // stride
    points = mesh.vertices[:, :2].double().numpy() / stride - 0.5
    corners = points[mesh.triangles.numpy()]  # (F, 3, 2)
    depth = mesh.vertices[:, 2].numpy()[mesh.triangles.numpy()].mean(1)
    owner = np.full((rows, columns), -1, np.int32)
    for number in np.argsort(-depth):  # far to near
        cv2.fillConvexPoly(owner, np.rint(corners[number] * 256).astype(np.int32), int(number), shift=8)
    owner = _fill_holes(owner)
    y, x = np.mgrid[:rows, :columns]
    corner = corners[owner.ravel()]
    edges = np.stack((corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), -1)  # (G, 2, 2)
    determinant = np.linalg.det(edges)
    edges[np.abs(determinant) < 1e-6] = np.eye(2) * 1e6  # a sliver: every weight on its first vertex
    offset = np.stack((x.ravel(), y.ravel()), -1) - corner[:, 0]
    inner = np.linalg.solve(edges, offset[..., None])[..., 0]
    weights = np.clip(np.concatenate((1 - inner.sum(1, keepdims=True), inner), 1), 0, 1)
    weights /= weights.sum(1, keepdims=True)
    return mesh.triangles[torch.from_numpy(owner.ravel()).long()], torch.from_numpy(weights).float()


def _outer_triangles(vertices: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Triangles (., 3) between the face's outline and everything outside it."""
    numbers = np.concatenate((outline, np.arange(478, len(vertices))))
    triangles = numbers[Delaunay(vertices[numbers, :2]).simplices]
    middles = vertices[triangles, :2].mean(1).astype(np.float32)
    polygon = vertices[outline, :2].astype(np.float32)
    inside = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) > 0 for x, y in middles])
    return triangles[~inside]


def _border(width: int, height: int) -> np.ndarray:
    along = np.linspace(0, 1, BORDER_POINTS)
    points = [(x * width, y) for x in along for y in (0, height)]
    points += [(x, y * height) for y in along[1:-1] for x in (0, width)]
    return np.array([(x, y, 0.0) for x, y in points])


def _fill_holes(owner: np.ndarray) -> np.ndarray:
    """Give cells that no triangle covers the owner of the nearest covered cell."""
    missing = (owner < 0).astype(np.uint8)
    if not missing.any():
        return owner
    _, labels = cv2.distanceTransformWithLabels(missing, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    covered = owner >= 0
    labels = labels.astype(np.int64)
    owner_of_label = np.zeros(int(labels.max()) + 1, owner.dtype)
    owner_of_label[labels[covered]] = owner[covered]
    return owner_of_label[labels]


def _smooth(room: np.ndarray) -> np.ndarray:
    return smoothstep(np.clip(room, 0, 1))
