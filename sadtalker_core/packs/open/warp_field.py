"""Driving vertices -> where in the source each pixel's colour comes from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...face.aperture import SLITS
from ...face.regions import FACE_OVAL
from ...pictures.grids import Window, pixel_grid
from ...pictures.ramps import smoothstep
from .head_mesh import HeadMesh, build_head_mesh, locate_pixels

CALM_BAND = 0.16
"""Width of the band inside the face's outline where smoothing sets in, in face widths."""
HOLD_BAND = 0.05
"""Width of the band along the picture's border in which the motion fades, in the shorter side."""
INVERSION_ROUNDS = 10
INVERSION_STEP = 0.7
"""Below 1, so that the iteration also settles where the motion stretches the skin to more than twice its size."""


@dataclass(frozen=True, slots=True)
class WarpField:
    """Interpolates the motion of the mesh's vertices over a grid of the source, and inverts it."""

    mesh: HeadMesh
    corners: Tensor
    """(3, G) int64: the vertices around each grid cell"""
    weights: Tensor
    """(3, G) their barycentric weights"""
    rows: int
    columns: int
    stride: int
    """pixels a grid cell"""
    calm: Tensor
    """(1, 1, rows, columns) 0 on the face's features to 1 at its outline and beyond: where the field is smoothed"""

    hold: Tensor
    """(1, 1, rows, columns) from 0 at the picture's border, which stays where it is, to 1 inside"""

    def backward(self, motion: Tensor) -> Tensor:
        """Displacement (B, 2, rows, columns), pixels, from a pixel of the frame to its place in the source.

        Args:
            motion: (B, V, 2) driving minus source position of each vertex, pixels.

        The forward field u of the source is inverted by the damped iteration x <- y - u(x). It needs a motion without
        tears (``joined_motion``).
        """
        # One row for each x and y of each frame: with x and y side by side in memory this takes five times as long,
        # and enlarging the field three times.
        offsets = motion.transpose(1, 2).flatten(0, 1)  # (2B, V)
        corners = zip(self.corners, self.weights, strict=True)
        forward = torch.stack([offsets.index_select(1, corner) * weight for corner, weight in corners]).sum(0)
        forward = forward.reshape(-1, 2, self.rows, self.columns)
        # Behind its outline a turning face hides skin that lies far back; a warp cannot hide, so it must squeeze, and
        # squeezing evenly over a band looks better than a fold.
        forward = torch.lerp(forward, _smoothed(forward), self.calm) * self.hold
        identity = pixel_grid(self.rows, self.columns, self.stride, motion)  # (1, 2, rows, columns) centres
        scale = motion.new_tensor((self.columns * self.stride, self.rows * self.stride)) / 2
        backward = -forward
        for _ in range(INVERSION_ROUNDS):
            place = (identity + backward).permute(0, 2, 3, 1) / scale - 1
            update = -F.grid_sample(forward, place, padding_mode="border", align_corners=False)
            backward = torch.lerp(backward, update, INVERSION_STEP)
        return backward

    def enlarge(self, backward: Tensor, window: Window) -> Tensor:
        """The field (B, 2, rows, columns) at full resolution, bilinear, in one window of the picture."""
        stride = self.stride
        top, bottom = window.top // stride, -(-window.bottom // stride)
        left, right = window.left // stride, -(-window.right // stride)
        # A cell more on each side, so that the window's border is interpolated like its inside.
        part = F.pad(backward, (1, 1, 1, 1), mode="replicate")[:, :, top : bottom + 2, left : right + 2]
        large = F.interpolate(part, scale_factor=stride, mode="bilinear")
        y, x = window.top - (top - 1) * stride, window.left - (left - 1) * stride
        return large[:, :, y : y + window.bottom - window.top, x : x + window.right - window.left]


def build_warp_field(landmarks: Tensor, width: int, height: int, stride: int) -> WarpField:
    """Prepare the field for a source's landmarks (478, 3); once a portrait, on the CPU, then on their device."""
    mesh = build_head_mesh(landmarks, width, height)
    corners, weights = (part.T.contiguous() for part in locate_pixels(mesh, width, height, stride))
    rows, columns = height // stride, width // stride
    calm, hold = _calm(landmarks, rows, columns, stride), _hold(rows, columns)
    return WarpField(mesh, corners, weights, rows, columns, stride, calm.to(landmarks), hold.to(landmarks))


def _calm(landmarks: Tensor, rows: int, columns: int, stride: int) -> Tensor:
    outline = landmarks[list(FACE_OVAL), :2].cpu().numpy() / stride
    inside = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    depth = torch.from_numpy(cv2.distanceTransform(inside, cv2.DIST_L2, 5))
    weight = 1 - (depth / (CALM_BAND * float(np.ptp(outline[:, 0])))).clamp(0, 1)
    return smoothstep(weight)[None, None]


def _hold(rows: int, columns: int) -> Tensor:
    y, x = torch.arange(rows)[:, None], torch.arange(columns)[None]
    distance = torch.minimum(torch.minimum(y, rows - 1 - y), torch.minimum(x, columns - 1 - x))
    weight = (distance / (HOLD_BAND * min(rows, columns))).clamp(0, 1)
    return smoothstep(weight)[None, None]


def _smoothed(field: Tensor) -> Tensor:
    """Low-pass of a field (B, 2, rows, columns), at a quarter of its resolution."""
    small = F.avg_pool2d(field, 4, ceil_mode=True, count_include_pad=False)
    for _ in range(2):
        small = F.avg_pool2d(F.pad(small, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return F.interpolate(small, field.shape[2:], mode="bilinear")


def joined_motion(motion: Tensor) -> Tensor:
    """Motion (B, V, 2) with the slits of mouth and eyes at rest between their corners, so that nothing tears."""
    joined = motion.clone()
    for slit in SLITS:
        for edge in (slit.upper, slit.lower):
            way = torch.linspace(0, 1, len(edge)).to(motion)[:, None]
            joined[:, list(edge)] = torch.lerp(motion[:, [edge[0]]], motion[:, [edge[-1]]], way)
    return joined
