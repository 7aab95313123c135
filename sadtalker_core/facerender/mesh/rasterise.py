"""A batch of triangle meshes -> which triangle each pixel shows, and the motion there. No loop over triangles."""

from __future__ import annotations

import torch
from torch import Tensor

_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Triangles are drawn in groups of like bounding boxes; these are the groups' box widths and heights."""
_EDGE = 1e-4
"""Slack of the inside test, so that rounding leaves no seam between neighbours."""
_MIN_AREA = 1e-3


def depth_order(depth: Tensor, layers: Tensor) -> Tensor:
    """Drawing order (B, T): layer by layer, then from far to near.

    Args:
        depth: (B, T) of each triangle, negative to the camera.
        layers: (T,) higher layers cover lower ones.
    """
    # argsort twice gives ranks; the layer step exceeds any depth
    nearness = -depth + layers * (2.0 * depth.abs().max() + 1.0)
    return nearness.argsort(1)


def draw_triangles(corners: Tensor, order: Tensor, facing: Tensor, height: int, width: int) -> Tensor:
    """Number of the triangle seen at each pixel centre, -1 for none: (B, height, width) int64.

    Args:
        corners: (B, T, 3, 2) in raster pixels.
        order: (B, T) triangle numbers in drawing order; later ones cover earlier ones.
        facing: (T,) sign of the area of triangles that show their front; others are not drawn.
    """
    batch, count = corners.shape[:2]
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(count, device=order.device).expand_as(order))
    a, b, c = corners.unbind(2)
    ab, ac = b - a, c - a
    area = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]
    limit = corners.new_tensor((width - 1, height - 1))
    first = (corners.amin(2) - 0.5).ceil().clamp_min(0)
    last = torch.minimum((corners.amax(2) - 0.5).floor(), limit)
    size = last - first + 1
    shown = (area * facing > _MIN_AREA) & (size > 0).all(-1)
    which = shown.flatten().nonzero()[:, 0]

    def pick(value: Tensor) -> Tensor:
        return value.flatten(0, 1)[which]

    first, size, a, ab, ac, area = pick(first), pick(size), pick(a), pick(ab), pick(ac), pick(area)
    top = torch.full((batch * height * width,), -1, dtype=torch.int32, device=corners.device)
    base = (which // count) * (height * width)
    value = pick(rank).int()
    # barycentric coordinates as affine functions of the pixel
    second = torch.stack((ac[:, 1], -ac[:, 0]), -1) / area[:, None]
    third = torch.stack((-ab[:, 1], ab[:, 0]), -1) / area[:, None]
    start = first + 0.5 - a
    origin = torch.stack(((second * start).sum(-1), (third * start).sum(-1)), -1)
    steps = size.new_tensor(_SIZES)
    group = torch.bucketize(size.contiguous(), steps)
    code = group[:, 0] * len(_SIZES) + group[:, 1]
    for number in code.unique().tolist():
        members = (code == number).nonzero()[:, 0]
        wide, high = _SIZES[number // len(_SIZES)], _SIZES[number % len(_SIZES)]
        x = torch.arange(wide, device=corners.device, dtype=corners.dtype)
        y = torch.arange(high, device=corners.device, dtype=corners.dtype)
        u, v, o = second[members], third[members], origin[members]
        l1 = (o[:, 0:1] + u[:, 0:1] * x)[:, None, :] + (u[:, 1:2] * y)[:, :, None]
        l2 = (o[:, 1:2] + v[:, 0:1] * x)[:, None, :] + (v[:, 1:2] * y)[:, :, None]
        inside = torch.minimum(torch.minimum(l1, l2), 1.0 - l1 - l2) >= -_EDGE  # (M, high, wide)
        box = size[members]
        inside &= (x < box[:, 0:1])[:, None, :] & (y < box[:, 1:2])[:, :, None]
        item, row, column = inside.nonzero(as_tuple=True)
        corner = base[members] + first[members, 1].long() * width + first[members, 0].long()
        top.scatter_reduce_(0, corner[item] + row * width + column, value[members][item], "amax")
    top = top.view(batch, -1).long()
    return torch.where(top < 0, -1, order.gather(1, top.clamp_min(0))).view(batch, height, width)


def interpolate_motion(ids: Tensor, corners: Tensor, motion: Tensor, origin: Tensor, step: float) -> Tensor:
    """The vertices' motion interpolated at each pixel, zero where no triangle is: (B, 2, height, width).

    Args:
        ids: (B, height, width) from ``draw_triangles``.
        corners: (B, T, 3, 2) in picture pixels.
        motion: (B, T, 3, 2) at those corners.
        origin: (B, 2) picture position of the raster's upper left corner.
        step: picture pixels per raster pixel.
    """
    batch, height, width = ids.shape
    a, b, c = corners.unbind(2)
    ab, ac = b - a, c - a
    area = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]
    area = torch.where(area.abs() < 1e-6, torch.ones_like(area), area)[..., None]
    second = torch.stack((ac[..., 1], -ac[..., 0]), -1) / area
    third = torch.stack((-ab[..., 1], ab[..., 0]), -1) / area
    m0, m1, m2 = motion.unbind(2)
    # motion = slope_x * x + slope_y * y + offset, relative to the raster's origin
    d1, d2 = m1 - m0, m2 - m0
    slope_x = second[..., 0:1] * d1 + third[..., 0:1] * d2
    slope_y = second[..., 1:2] * d1 + third[..., 1:2] * d2
    start = origin[:, None] - a
    offset = m0 + slope_x * start[..., 0:1] + slope_y * start[..., 1:2]
    table = torch.cat((slope_x * step, slope_y * step, offset), -1)  # (B, T, 6)
    table = torch.cat((table, table.new_zeros(batch, 1, 6)), 1)
    count = table.shape[1]
    rows = torch.where(ids < 0, count - 1, ids) + count * torch.arange(batch, device=ids.device)[:, None, None]
    picked = table.flatten(0, 1)[rows.flatten()].view(batch, height, width, 6)
    x = torch.arange(width, device=ids.device) + 0.5
    y = torch.arange(height, device=ids.device)[:, None, None] + 0.5
    field = picked[..., 0:2] * x[:, None] + picked[..., 2:4] * y + picked[..., 4:6]
    return field.permute(0, 3, 1, 2)
