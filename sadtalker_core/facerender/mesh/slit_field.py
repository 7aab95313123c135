"""Around a slit the skin parts, which a smooth field cannot follow: there the driven triangles themselves are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...face3d.mesh_topology import load_face_mesh
from .aperture import Slit, Window, pixel_grid

_SHIFT = 4
"""Fractional bits of the corners handed to OpenCV."""
_REACH = 2.0
"""How far the skin goes on behind its edge, cells."""
_OVERHANG = 0.5
"""How far, in barycentric weights, a triangle may speak for a cell whose centre it misses."""


@dataclass(frozen=True, slots=True)
class SlitMesh:
    """The triangles around one slit.

    Vertices are those of the face, then a copy of the lower edge that moves with the upper one, then a copy of the
    upper edge that moves with the lower one. Spanned between an edge and its companion, the opening continues the skin
    of that edge, so that the skin is right up to the edge and two closed edges meet without a seam.
    """

    slit: Slit
    skin: Tensor
    """(S, 3) int64 triangles"""
    opening: Tensor
    """(2, O, 3) int64 triangles of the opening that go with the upper and with the lower edge"""
    share: Tensor
    """(V,) 1 at vertices from which all triangles are drawn, 0 where the smooth field takes over"""


@dataclass(frozen=True, slots=True)
class SlitField:
    """Where the picture around a slit comes from; cells of the warp field's grid inside ``window``."""

    window: Window
    """in cells"""
    backward: Tensor
    """(2, B, 2, r, c) displacement, pixels, from a cell to its place in the source: opening with upper, lower edge"""
    share: Tensor
    """(2, B, 1, r, c) share of this field in the whole one, 0 at the window's border"""


def build_slit_mesh(slit: Slit) -> SlitMesh:
    """The triangles within two rings of the slit."""
    triangles = load_face_mesh().triangles
    edges = torch.tensor([*slit.upper, *slit.lower, *slit.outer_upper, *slit.outer_lower])
    opening = torch.isin(triangles, torch.tensor([*slit.upper, *slit.lower])).all(1)
    near = triangles[torch.isin(triangles, edges).any(1)].unique()
    skin = triangles[torch.isin(triangles, near).any(1) & ~opening]
    share = torch.zeros(478 + 2 * (len(slit.upper) - 2))
    share[near] = 1
    share[478:] = 1
    return SlitMesh(slit, skin, torch.stack(_companions(slit, triangles[opening])), share)


def _companions(slit: Slit, opening: Tensor) -> tuple[Tensor, Tensor]:
    """The opening's triangles with the lower, and with the upper edge replaced by its copy."""
    count = len(slit.upper) - 2
    number = torch.arange(478)
    with_upper, with_lower = number.clone(), number.clone()
    with_upper[list(slit.lower[1:-1])] = 478 + torch.arange(count)
    with_lower[list(slit.upper[1:-1])] = 478 + count + torch.arange(count)
    return with_upper[opening], with_lower[opening]


def draw_slit_field(mesh: SlitMesh, source: Tensor, driving: Tensor, rows: int, columns: int, stride: int) -> SlitField:
    """The field for source vertices (478, 3) and driving ones (B, 478, 3), pixels, on a grid of that many cells."""
    slit = mesh.slit
    upper, lower = list(slit.upper[1:-1]), list(slit.lower[1:-1])
    source = source[:, :2]
    motion = driving[..., :2] - source
    # The companions lie further in, so that a grid cell beside the edge still goes with it when the slit is closed.
    across = F.normalize(source[lower].mean(0) - source[upper].mean(0) + _down(source), dim=0) * _REACH * stride
    places = torch.cat((source, source[lower] + across, source[upper] - across))
    motion = torch.cat((motion, motion[:, upper], motion[:, lower]), 1)
    moved = places + motion
    window = _window(moved[:, mesh.skin.unique()] / stride, rows, columns)
    triangles = torch.cat((mesh.opening[0], mesh.opening[1], mesh.skin))
    owners = _draw(mesh, moved / stride - 0.5, driving[..., 2], window)
    owner = torch.from_numpy(owners).to(source.device)  # (2, B, r, c)
    pixels = pixel_grid(window.bottom - window.top, window.right - window.left, stride, source)
    pixels = pixels + stride * pixels.new_tensor((window.left, window.top))[:, None, None]
    # Triangles have creases, and steps where they hide each other: the mean of 3 x 3 cells that they cover.
    drawn = _interpolate(triangles, motion, moved, mesh.share, owner, pixels)
    mean = F.avg_pool2d(F.pad(drawn.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).unflatten(0, drawn.shape[:2])
    backward, share, covered = mean.split((2, 1, 1), 2)
    return SlitField(window, backward / covered.clamp_min(1e-3), share)


def _window(points: Tensor, rows: int, columns: int) -> Window:
    (left, top), (right, bottom) = points.amin((0, 1)).tolist(), points.amax((0, 1)).tolist()
    # Two cells more than the triangles reach, so that a larger window would give the same.
    top, left, bottom, right = int(top) - 2, int(left) - 2, int(bottom) + 3, int(right) + 3
    top, left = min(max(top, 0), rows), min(max(left, 0), columns)
    return Window(top, max(min(bottom, rows), top), left, max(min(right, columns), left))


def _draw(mesh: SlitMesh, corners: Tensor, depth: Tensor, window: Window) -> NDArray[np.int64]:
    """Number of the triangle (2, B, r, c) on each cell, the opening going with the upper and with the lower edge; -1
    where there is none."""
    size = window.bottom - window.top, window.right - window.left
    limit = 2.0**15
    points = np.rint(corners.clamp(-limit, limit).cpu().numpy() * (1 << _SHIFT)).astype(np.int32)
    points -= np.array((window.left, window.top), np.int32) << _SHIFT
    opening = mesh.opening.cpu().numpy()
    skin = mesh.skin.cpu().numpy()
    upper = np.isin(skin, mesh.slit.upper[1:-1]).any(1)
    farness = depth.cpu().numpy()[:, skin].mean(2)
    # Far ones first, those of the upper edge last: it lies over the lower one where they would cross.
    order = np.argsort(np.where(upper, 1e9, 0) - farness, 1, kind="stable")
    owners = np.full((2, len(points), *size), -1, np.int32)
    for frame, corner in enumerate(points):
        for side in range(2):
            for number, shape in enumerate(corner[opening[side]], side * len(opening[0])):
                cv2.fillConvexPoly(owners[side, frame], shape, number, shift=_SHIFT)
        faces = corner[skin]
        drawn = np.full(size, -1, np.int32)
        for number in order[frame]:
            cv2.fillConvexPoly(drawn, faces[number], int(number) + 2 * len(opening[0]), shift=_SHIFT)
        owners[:, frame] = np.where(drawn >= 0, drawn, owners[:, frame])
    return owners.astype(np.int64)


def _interpolate(
    triangles: Tensor, motion: Tensor, moved: Tensor, share: Tensor, owner: Tensor, pixels: Tensor
) -> Tensor:
    """Displacement, share and 1 (2, B, 4, r, c) at cells ``pixels`` (1, 2, r, c); all 0 where ``owner`` is none."""
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
    weight = torch.stack([(offset * axis).sum(-1) for axis in (to_second, to_third)], -1)
    weight = weight.clamp(-_OVERHANG, 1 + _OVERHANG)
    weight = torch.cat((1 - weight.sum(-1, keepdim=True), weight), -1)  # (B, 2rc, 3)
    facts = torch.cat((motion, share.expand(batch, -1)[..., None]), 2)[:, triangles].flatten(2)  # (B, F, 9)
    facts = facts.gather(1, number[..., None].expand(-1, -1, 9)).unflatten(2, (3, 3))
    found = (weight[..., None] * facts).sum(2)
    drawn = torch.cat((-found[..., :2], found[..., 2:], torch.ones_like(found[..., 2:])), -1)
    drawn = drawn.transpose(1, 2).reshape(batch, 4, sides, rows, columns).permute(2, 0, 1, 3, 4)
    return torch.where(owner[:, :, None] >= 0, drawn, 0)


def _down(points: Tensor) -> Tensor:
    """Unit vector (2,) from forehead to chin."""
    return F.normalize(points[152] - points[10], dim=0)
