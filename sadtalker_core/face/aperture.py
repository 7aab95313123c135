"""The face's three slits, the mouth and the two eyes: where they are open, and which side of them a pixel lies on.

A slit is described over the line between its corners: ``along`` runs from 0 at the picture's left corner to 1 at the
right one, ``height`` is the distance from that line in pixels, positive upwards. Its upper and lower edge are
polygons over ``along``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..pictures.grids import Window
from .regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE


@dataclass(frozen=True, slots=True)
class Slit:
    """Vertex numbers of one slit; every list runs from the left corner to the right one, corners included."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    outer_upper: tuple[int, ...] = ()
    """second ring above, where there is one (the lips)"""
    outer_lower: tuple[int, ...] = ()


def _halves(ring: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Upper and lower half of a ring that starts in a corner and runs along the upper edge first."""
    turn = len(ring) // 2
    return ring[: turn + 1], (ring[0], *reversed(ring[turn:]))


MOUTH = Slit(*_halves(INNER_LIPS), *_halves(OUTER_LIPS))
LEFT_EYE_SLIT = Slit(*_halves(LEFT_EYE))
RIGHT_EYE_SLIT = Slit(*(half[::-1] for half in _halves(RIGHT_EYE)))  # its ring starts at the right corner
SLITS = (MOUTH, LEFT_EYE_SLIT, RIGHT_EYE_SLIT)


@dataclass(frozen=True, slots=True)
class Aperture:
    """A slit in each frame of a batch."""

    origin: Tensor
    """(B, 2) left corner, pixels"""
    axis: Tensor
    """(B, 2) unit vector to the right corner"""
    length: Tensor
    """(B,) distance of the corners, pixels"""
    knots: Tensor
    """(B, 2, K) ``along`` of the upper and of the lower edge's vertices, increasing"""
    heights: Tensor
    """(B, 2, K) their heights, pixels; the upper edge is nowhere below the lower one"""

    def place(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``along`` and ``height`` (B, N) of pixel positions (B, N, 2) or (1, N, 2)."""
        offset = pixels - self.origin[:, None]
        along = (offset * self.axis[:, None]).sum(-1) / self.length[:, None]
        height = offset[..., 0] * self.axis[:, None, 1] - offset[..., 1] * self.axis[:, None, 0]
        return along, height

    def edges(self, along: Tensor) -> tuple[Tensor, Tensor]:
        """Heights (B, N) of upper and lower edge at ``along`` (B, N); beyond the corners those of the corners."""
        upper = _interpolate(self.knots[:, 0], self.heights[:, 0], along)
        lower = _interpolate(self.knots[:, 1], self.heights[:, 1], along)
        return upper, lower

    def view(self, pixels: Tensor) -> SlitView:
        """How the slit is seen at pixel positions (B, N, 2) or (1, N, 2)."""
        along, over = self.place(pixels)
        upper, lower = self.edges(along)
        below_upper, above_lower = upper - over, over - lower
        # Where an edge is steep, its distance is less than the difference of heights.
        step = 0.02
        steps = zip((upper, lower), self.edges(along + step), strict=True)
        steepness = [(((ahead - here) / (step * self.length[:, None])).square() + 1).sqrt() for here, ahead in steps]
        below_upper, above_lower = below_upper / steepness[0], above_lower / steepness[1]
        cover = (torch.minimum(below_upper, above_lower) + 0.5).clamp(0, 1) * (upper - lower).clamp(0, 1)
        return SlitView(along, below_upper, above_lower, cover * ((along > 0) & (along < 1)))

    def surroundings(self, size: torch.Size, *, beside: float, above: float, below: float) -> Window:
        """Box, clipped to a picture of ``size`` (h, w), that holds the slit with a margin in all frames of the batch.

        Args:
            beside, above, below: margins in units of the slit's length.
        """
        across = torch.stack((-self.axis[:, 1], self.axis[:, 0]), 1)  # (B, 2) downwards
        along = torch.stack((torch.full_like(self.length, -beside), torch.full_like(self.length, 1 + beside)), 1)
        heights = torch.stack(
            (self.heights.amax((1, 2)) / self.length + above, self.heights.amin((1, 2)) / self.length - below), 1
        )
        corners = (
            self.origin[:, None, None]
            + (along * self.length[:, None])[:, :, None, None] * self.axis[:, None, None]
            - (heights * self.length[:, None])[:, None, :, None] * across[:, None, None]
        ).flatten(0, 2)
        (left, top), (right, bottom) = corners.amin(0).tolist(), corners.amax(0).tolist()
        top, left = max(int(top) - 1, 0), max(int(left) - 1, 0)
        return Window(top, min(int(bottom) + 2, size[0]), left, min(int(right) + 2, size[1]))


@dataclass(frozen=True, slots=True)
class SlitView:
    """A slit at some pixels of each frame."""

    along: Tensor
    """(B, N)"""
    below_upper: Tensor
    """(B, N) distance below the upper edge, pixels; negative above it"""
    above_lower: Tensor
    """(B, N) distance above the lower edge, pixels; negative below it"""
    cover: Tensor
    """(B, N) fraction of the pixel through which the inside is seen"""


def measure_aperture(slit: Slit, points: Tensor, closed_gap: Tensor | None = None) -> Aperture:
    """Find ``slit`` in points (B, V, >=2), pixels with y down.

    Args:
        closed_gap: (K,) opening, in units of the slit's length, that counts as closed: landmarks of touching lips
            still lie a pixel or two apart.
    """
    upper, lower = points[:, list(slit.upper), :2], points[:, list(slit.lower), :2]
    origin, end = upper[:, 0], upper[:, -1]
    length = (end - origin).norm(dim=1).clamp_min(1e-3)
    axis = (end - origin) / length[:, None]
    edges = torch.stack((upper, lower), 1)  # (B, 2, K, 2)
    offset = edges - origin[:, None, None]
    along = (offset * axis[:, None, None]).sum(-1) / length[:, None, None]
    heights = offset[..., 0] * axis[:, None, None, 1] - offset[..., 1] * axis[:, None, None, 0]
    # An edge that bends back over itself has no height over the line; its vertices are kept in order.
    knots = torch.cummax(along, 2).values + torch.arange(along.shape[2], device=along.device) * 1e-5
    middle = heights.mean(1)
    half = ((heights[:, 0] - heights[:, 1]) / 2).clamp_min(0)
    if closed_gap is not None:
        half = (half - closed_gap * length[:, None] / 2).clamp_min(0)
    heights = torch.stack((middle + half, middle - half), 1)
    return Aperture(origin, axis, length, knots, heights)


def _interpolate(knots: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """Piecewise linear interpolation, row by row: knots (B, K) increasing, values (B, K), at (B, N) -> (B, N)."""
    knots, values = (part.expand(at.shape[0], -1) for part in (knots, values))
    last = knots.shape[1] - 1
    right = torch.searchsorted(knots.contiguous(), at.contiguous()).clamp(1, last)
    left_knot, right_knot = knots.gather(1, right - 1), knots.gather(1, right)
    weight = ((at - left_knot) / (right_knot - left_knot)).clamp(0, 1)
    return torch.lerp(values.gather(1, right - 1), values.gather(1, right), weight)
