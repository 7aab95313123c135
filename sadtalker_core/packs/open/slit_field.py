"""Around a slit the skin parts, which a smooth field cannot follow: there the driven triangles themselves are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...face.aperture import Slit
from ...face.topology import load_face_mesh
from ...pictures.grids import Window, pixel_grid

_SHIFT = 4
"""Fractional bits of the corners handed to OpenCV."""
_REACH = 3.0
"""How far the skin goes on behind its edge, cells: one for the interpolation and one for the mean, and some room."""
_OVERHANG = 0.5
"""How far, in barycentric weights, a triangle may speak for a cell whose centre it misses."""


@dataclass(frozen=True, slots=True)
class SlitMesh:
    """The triangles around one slit.

    Vertices are those of the face, then the upper and the lower edge moved a little into the opening. A strip between
    an edge and its copy continues the skin, so that it is right up to the edge and closed edges meet without a seam.
    """

    slit: Slit
    skin: Tensor
    """(S, 3) int64 triangles"""
    strips: Tensor
    """(2, O, 3) int64 triangles between the upper, and the lower, edge and its copy"""
    weight: Tensor
    """(V,) 1 at vertices from which all triangles are drawn, 0 where the smooth field takes over"""


@dataclass(frozen=True, slots=True)
class SlitField:
    """Where the picture around a slit comes from; cells of the warp field's grid inside ``window``."""

    window: Window
    """in cells"""
    backward: Tensor
    """(2, B, 2, r, c) displacement, pixels, from a cell to its place in the source: the first is right above the slit,
    the second below it"""
    weight: Tensor
    """(2, B, 1, r, c) weight of this field in the whole one, 0 at the window's border"""


def build_slit_mesh(slit: Slit) -> SlitMesh:
    """The triangles within two rings of the slit."""
    triangles = load_face_mesh().triangles
    edges = torch.tensor([*slit.upper, *slit.lower, *slit.outer_upper, *slit.outer_lower])
    opening = torch.isin(triangles, torch.tensor([*slit.upper, *slit.lower])).all(1)
    near = triangles[torch.isin(triangles, edges).any(1)].unique()
    skin = triangles[torch.isin(triangles, near).any(1) & ~opening]
    weight = torch.ones(478 + 2 * (len(slit.upper) - 2))
    weight[:478] = torch.isin(torch.arange(478), near).float()
    copies = torch.arange(478, len(weight)).unflatten(0, (2, -1)).tolist()
    strips = [_strip(edge, copy) for edge, copy in zip((slit.upper, slit.lower), copies, strict=True)]
    return SlitMesh(slit, skin, torch.tensor(strips), weight)


def _strip(edge: tuple[int, ...], copy: list[int]) -> list[tuple[int, int, int]]:
    inner = (edge[0], *copy, edge[-1])
    pairs = list(zip(edge, inner, strict=True))
    return [
        triangle
        for (one, one_in), (two, two_in) in zip(pairs, pairs[1:], strict=False)
        for triangle in ((one, two, one_in), (two, two_in, one_in))
    ]


def draw_slit_field(mesh: SlitMesh, source: Tensor, driving: Tensor, rows: int, columns: int, stride: int) -> SlitField:
    """The field for source vertices (478, 3) and driving ones (B, 478, 3), pixels, on a grid of that many cells."""
    slit = mesh.slit
    source = source[None, :, :2]
    driving_2d = _uncrossed(driving[..., :2], list(slit.upper[1:-1]), list(slit.lower[1:-1]))
    places, moved = (torch.cat((points, *_copies(slit, points, _REACH * stride)), 1) for points in (source, driving_2d))
    motion = moved - places
    window = _window(moved[:, mesh.skin.unique()] / stride, rows, columns)
    triangles = torch.cat((mesh.strips[0], mesh.strips[1], mesh.skin))
    owners = _draw(mesh, moved / stride - 0.5, driving[..., 2], window)
    owner = torch.from_numpy(owners).to(source.device)  # (2, B, r, c)
    pixels = pixel_grid(window.bottom - window.top, window.right - window.left, stride, places)
    pixels = pixels + stride * pixels.new_tensor((window.left, window.top))[:, None, None]
    # Triangles have creases, and steps where they hide each other: the mean of 3 x 3 cells that they cover.
    drawn = _interpolate(triangles, motion, moved, mesh.weight, owner, pixels)
    mean = F.avg_pool2d(F.pad(drawn.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).unflatten(0, drawn.shape[:2])
    backward, weight, covered = mean.split((2, 1, 1), 2)
    return SlitField(window, backward / covered.clamp_min(1e-3), weight)


def _copies(slit: Slit, points: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Both edges (B, K - 2, 2) without corners, moved ``radius`` pixels into the opening."""
    copies = []
    for edge, side in ((slit.upper, 1.0), (slit.lower, -1.0)):
        line = points[:, list(edge)]
        tangent = F.normalize(line[:, 2:] - line[:, :-2], dim=2)
        inwards = torch.stack((-tangent[..., 1], tangent[..., 0]), -1) * side
        copies.append(line[:, 1:-1] + radius * inwards)
    return copies[0], copies[1]


def _uncrossed(points: Tensor, upper: list[int], lower: list[int]) -> Tensor:
    """Points (B, V, 2) with opposite vertices of the edges put together where the upper one lies below the lower."""
    down = F.normalize(points[:, 152] - points[:, 10], dim=1)[:, None]
    excess = (((points[:, upper] - points[:, lower]) * down).sum(-1, keepdim=True).clamp_min(0) / 2) * down
    points = points.clone()
    points[:, upper] -= excess
    points[:, lower] += excess
    return points


def _window(points: Tensor, rows: int, columns: int) -> Window:
    (left, top), (right, bottom) = points.amin((0, 1)).tolist(), points.amax((0, 1)).tolist()
    # Two cells more than the triangles reach, so that a larger window would give the same.
    top, left, bottom, right = int(top) - 2, int(left) - 2, int(bottom) + 3, int(right) + 3
    top, left = min(max(top, 0), rows), min(max(left, 0), columns)
    return Window(top, max(min(bottom, rows), top), left, max(min(right, columns), left))


def _draw(mesh: SlitMesh, corners: Tensor, depth: Tensor, window: Window) -> NDArray[np.int64]:
    """Number of the triangle (2, B, r, c) on each cell, first as seen from above, then from below; -1 if none."""
    size = window.bottom - window.top, window.right - window.left
    limit = 2.0**15
    points = np.rint(corners.clamp(-limit, limit).cpu().numpy() * (1 << _SHIFT)).astype(np.int32)
    points -= np.array((window.left, window.top), np.int32) << _SHIFT
    strips, skin = mesh.strips.cpu().numpy(), mesh.skin.cpu().numpy()
    number_of_skin = 2 * len(strips[0])
    order = np.argsort(-depth.cpu().numpy()[:, skin].mean(2), 1, kind="stable")  # far ones first
    owners = np.full((2, len(points), *size), -1, np.int32)

    def draw(field: NDArray[np.int32], shapes: NDArray[np.int32], numbers: NDArray[np.int64]) -> None:
        for shape, number in zip(shapes, numbers.tolist(), strict=True):
            cv2.fillConvexPoly(field, shape, number, shift=_SHIFT)

    # Each side lies over the other one in its own field, as far as it goes on behind its edge.
    beside = [np.flatnonzero(np.isin(skin, edge[1:-1]).any(1)) for edge in (mesh.slit.upper, mesh.slit.lower)]
    for frame, corner in enumerate(points):
        draw(owners[0, frame], corner[skin[order[frame]]], order[frame] + number_of_skin)
        owners[1, frame] = owners[0, frame]
        for side in range(2):
            draw(owners[side, frame], corner[strips[side]], np.arange(len(strips[0])) + side * len(strips[0]))
            draw(owners[side, frame], corner[skin[beside[side]]], beside[side] + number_of_skin)
    return owners.astype(np.int64)


def _interpolate(
    triangles: Tensor, motion: Tensor, moved: Tensor, weight: Tensor, owner: Tensor, pixels: Tensor
) -> Tensor:
    """Displacement, weight and 1 (2, B, 4, r, c) at cells ``pixels`` (1, 2, r, c); all 0 where ``owner`` is none."""
    sides, batch, rows, columns = owner.shape
    number = owner.clamp_min(0).transpose(0, 1).reshape(batch, -1)  # (B, 2rc)
    first, second, third = moved[:, triangles].unbind(2)  # (B, F, 2)
    one, two = second - first, third - first
    determinant = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    # A sliver has no inside; its first corner speaks for it.
    scale = torch.where(determinant.abs() < 1e-3, 0, 1 / determinant)[..., None]
    to_second = torch.stack((two[..., 1], -two[..., 0]), -1) * scale
    to_third = torch.stack((-one[..., 1], one[..., 0]), -1) * scale
    facts = torch.cat((first, to_second, to_third), -1)
    first, to_second, to_third = facts.gather(1, number[..., None].expand(-1, -1, 6)).split(2, -1)
    centre = pixels.flatten(2).transpose(1, 2).repeat(1, sides, 1)
    offset = centre - first
    # Limited, or thin triangles would throw the cells at their edges far away.
    barycentric = torch.stack([(offset * axis).sum(-1) for axis in (to_second, to_third)], -1)
    barycentric = barycentric.clamp(-_OVERHANG, 1 + _OVERHANG)
    barycentric = torch.cat((1 - barycentric.sum(-1, keepdim=True), barycentric), -1)  # (B, 2rc, 3)
    facts = torch.cat((motion, weight.expand(batch, -1)[..., None]), 2)[:, triangles].flatten(2)  # (B, F, 9)
    facts = facts.gather(1, number[..., None].expand(-1, -1, 9)).unflatten(2, (3, 3))
    found = (barycentric[..., None] * facts).sum(2)
    drawn = torch.cat((-found[..., :2], found[..., 2:], torch.ones_like(found[..., 2:])), -1)
    drawn = drawn.transpose(1, 2).reshape(batch, 4, sides, rows, columns).permute(2, 0, 1, 3, 4)
    return torch.where(owner[:, :, None] >= 0, drawn, 0)
