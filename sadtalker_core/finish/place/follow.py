"""Pictures around a box follow what moves inside it, so that a neck, shoulders or hair that cross its edge stay whole.

A renderer moves the head and all that hangs on it inside its box only; outside, the picture rests, and they part at the
edge. Here the motion that a frame shows near the edge goes on outside it and dies out over some distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...flow import Crop
from ...pictures.ramps import smoothstep

_SIDE = 192
"""Longer side of the pictures in which motion is measured, pixels; more shows no difference and takes longer."""
_REACH = 0.4
"""Over which the motion dies out beyond the box, in its shorter side; less where the picture ends before."""
_LEAST_REACH = 0.04
"""Where the picture ends sooner than this, same unit, its edge moves along: fading faster would bend lines."""
_CALM = 9
"""Cells over which the motion is averaged: that of a single one may be an error."""
_FIELD_STRIDE = 4
"""Pixels of the picture a cell of the field, at least."""


@dataclass(frozen=True, slots=True)
class MovingMargin:
    """The part of a picture that may follow a box; the same for every frame."""

    rows: slice
    columns: slice
    """both of the picture"""
    grid: Tensor
    """(1, rows, columns, 2) of a field over that part: where in the box each of its cells lies, [-1, 1] inside"""
    weight: Tensor
    """(1, 1, rows, columns) of the motion: 1 in the box, 0 where it has died out"""

    @property
    def pixels(self) -> int:
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)

    def full_weight(self) -> Tensor:
        """The weight of each pixel of the part (h, w)."""
        size = (self.rows.stop - self.rows.start, self.columns.stop - self.columns.start)
        return F.interpolate(self.weight, size, mode="bilinear", align_corners=False)[0, 0]


def moving_margin(crop: Crop, width: int, height: int, device: torch.device) -> MovingMargin:
    """What follows the box of ``crop`` in a picture of width x height."""
    box_width, box_height = crop.right - crop.left, crop.bottom - crop.top
    side = min(box_width, box_height)
    radius = round(_REACH * side)
    left, top = max(crop.left - radius, 0), max(crop.top - radius, 0)
    right, bottom = min(crop.right + radius, width), min(crop.bottom + radius, height)
    rows, columns = (max(2, round(length / _FIELD_STRIDE)) for length in (bottom - top, right - left))
    y = top + (torch.arange(rows, device=device) + 0.5) * ((bottom - top) / rows)
    x = left + (torch.arange(columns, device=device) + 0.5) * ((right - left) / columns)
    outside_x = _outside(x, crop.left, crop.right, left, right, side)
    outside_y = _outside(y, crop.top, crop.bottom, top, bottom, side)
    weight = smoothstep(1 - torch.hypot(outside_y[:, None], outside_x).clamp(0, 1))
    grid = torch.stack(torch.broadcast_tensors(
        (x - crop.left) * (2 / box_width) - 1, ((y - crop.top) * (2 / box_height) - 1)[:, None]
    ), -1)  # fmt: skip
    return MovingMargin(slice(top, bottom), slice(left, right), grid[None], weight[None, None])


def measured_motion(portrait: Tensor, frames: Tensor) -> Tensor:
    """Where in the portrait each place of the frames comes from: (B, 2, rows, columns) x and y, in shares of its sides.

    Args:
        portrait: (3, h, w) in [0, 1].
        frames: (B, 3, any, any) in [0, 1], showing the same section.

    Dense inverse search (Kroeger and others, "Fast optical flow using dense inverse search", 2016).
    """
    check_shape("frames", frames, "B 3 h w")
    height, width = portrait.shape[1:]
    scale = min(1.0, _SIDE / max(height, width))
    rows, columns = max(16, round(height * scale)), max(16, round(width * scale))
    still = _grey(portrait[None], rows, columns)[0]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flows = [search.calc(frame, still, None) for frame in _grey(frames, rows, columns)]  # pyright: ignore[reportArgumentType, reportCallIssue]
    motion = torch.from_numpy(np.stack(flows)).to(portrait).permute(0, 3, 1, 2)
    return motion / motion.new_tensor((columns, rows))[:, None, None]


def follow(picture: Tensor, around: MovingMargin, crop: Crop, motion: Tensor) -> Tensor:
    """The part ``around`` of pictures (1 or B, 3, H, W), moved by the motion (B, 2, r, c) measured inside ``crop``."""
    window = picture[:, :, around.rows, around.columns]
    height, width = window.shape[2:]
    count = max(len(motion), len(window))
    calm = motion.contiguous()
    for size, margin in (((_CALM, 1), (_CALM // 2, 0)), ((1, _CALM), (0, _CALM // 2))):  # a square would take 4 times
        calm = F.avg_pool2d(calm, size, 1, margin, count_include_pad=False)
    grid = around.grid.expand(len(motion), -1, -1, -1)
    field = F.grid_sample(calm, grid, padding_mode="border", align_corners=False)
    # From shares of the box to shares of the window, in which places run from -1 to 1.
    box = motion.new_tensor((crop.right - crop.left, crop.bottom - crop.top))
    field = field * around.weight * (2 * box / motion.new_tensor((width, height)))[:, None, None]
    shift = F.interpolate(field, (height, width), mode="bilinear", align_corners=False)
    y = (torch.arange(height, device=motion.device) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=motion.device) + 0.5) * (2 / width) - 1
    places = torch.stack((shift[:, 0] + x, shift[:, 1] + y[:, None]), -1)
    window, places = window.expand(count, -1, -1, -1), places.expand(count, -1, -1, -1)
    moved = F.grid_sample(window, places, padding_mode="border", align_corners=False)
    # What rests is left alone: sampled in its own place it would be rounded.
    return torch.where((shift[:, :1] == 0) & (shift[:, 1:] == 0), window, moved)


def _outside(places: Tensor, low: int, high: int, first: int, last: int, side: int) -> Tensor:
    """How far places lie outside low..high: 0 inside, 1 where the motion has died out, at ``first`` and ``last``."""
    before, after = low - first, last - high
    shortest, longest = _LEAST_REACH * side, max(_REACH * side, 1.0)
    down, up = (gap if gap >= shortest else longest for gap in (before, after))
    return torch.maximum((low - places) / down, (places - high) / up).clamp_min(0)


def _grey(pictures: Tensor, rows: int, columns: int) -> np.ndarray:
    """(B, rows, columns) 8 bits of pictures (B, 3, H, W)."""
    weights = pictures.new_tensor((0.299, 0.587, 0.114), dtype=torch.float32)
    grey = (pictures.float().movedim(1, -1) @ weights)[:, None]
    small = F.interpolate(grey, (rows, columns), mode="bilinear", antialias=True, align_corners=False)[:, 0]
    return (small * 255).round().clamp(0, 255).byte().cpu().numpy()
