"""The open pack's renderer: a layered warp of the portrait, driven by the posed face mesh.

Layers, back to front: the background, which stays; the inside of mouth and eyes, seen only through their apertures;
the person, warped by a smooth field with a cut along each slit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_shape
from ...face3d.alignment import Similarity, similarity_between
from ...face3d.regions import OUTER_LIPS, STABLE
from ...flow import SourceFace, move_to
from .aperture import LEFT_EYE_SLIT, MOUTH, RIGHT_EYE_SLIT, Aperture, Slit, Window, measure_aperture, pixel_grid
from .layers import Layers, split_layers
from .mouth import MouthColours, mouth_colours, paint_mouth
from .warp_field import WarpField, build_warp_field, split_motion

FIELD_STRIDE = 2
"""Pixels a cell of the warp field."""
EYE_SLITS = (LEFT_EYE_SLIT, RIGHT_EYE_SLIT)
_BELOW_MOUTH = {"beside": 0.5, "above": 0.2, "below": 0.9}
_BELOW_EYE = {"beside": 0.3, "above": 0.2, "below": 0.45}
"""How far around a slit the fields of its two sides differ, in units of its length."""
_OPEN_MOUTH = (0.05, 0.12)
"""Opening of the portrait's own mouth, in mouth widths, from which its inside is (not at all, fully) kept."""
_LOWER_LIP = 14
CHEEKS = (50, 280, 205, 425)


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """Everything about a portrait that does not change from frame to frame."""

    picture: Tensor
    """(3, h, w) the cropped portrait"""
    landmarks: Tensor
    """(478, 3) pixels"""
    layers: Layers
    field: WarpField
    colours: MouthColours
    mouth: Aperture
    """the portrait's own, B = 1"""
    closed_gap: Tensor
    """(K,) see ``measure_aperture``"""
    own_inside: float
    """how far the portrait shows its own teeth: 0 closed mouth, 1 open"""


class MeshRenderer(nn.Module):
    """478 driving vertices -> frames at the portrait's own resolution. Has no weights."""

    bytes_per_pixel = 500
    """Some 40 float32 pictures at the peak, with room to spare."""

    def prepare(self, face: SourceFace, source_keypoints: Tensor) -> PreparedSource:
        """Everything that is needed once a portrait; source vertices (478, 3), pixels of the cropped portrait."""
        check_shape("source keypoints", source_keypoints, "478 3")
        picture, landmarks = face.cropped, source_keypoints
        height, width = picture.shape[1:]
        mouth = measure_aperture(MOUTH, landmarks[None])
        gap = (mouth.heights[0, 0] - mouth.heights[0, 1]) / mouth.length[0]
        low, high = _OPEN_MOUTH
        own_inside = float(((gap.amax() - low) / (high - low)).clamp(0, 1))
        lips, skin = (_mean_colour(picture, landmarks, vertices) for vertices in (OUTER_LIPS, CHEEKS))
        field = build_warp_field(landmarks, width, height, FIELD_STRIDE)
        return PreparedSource(
            picture,
            landmarks,
            split_layers(picture, landmarks),
            move_to(field, picture.device),
            mouth_colours(lips, skin),
            mouth,
            gap * (1 - own_inside),
            own_inside,
        )

    @torch.inference_mode()
    def render(self, source: PreparedSource, driving: Tensor) -> Tensor:
        """Frames (B, 3, h, w) in [0, 1] for driving vertices (B, 478, 3), pixels of the cropped portrait."""
        check_shape("driving", driving, "B 478 3")
        height, width = source.picture.shape[1:]
        field = source.field
        rigid = similarity_between(source.landmarks[None, list(STABLE)], driving[:, list(STABLE)])
        vertices = field.mesh.drive(driving, rigid.apply(field.mesh.vertices[None]))
        motion = (vertices - field.mesh.vertices)[..., :2]
        above, below = (field.backward(side) for side in split_motion(motion))
        slits = [(MOUTH, measure_aperture(MOUTH, driving, source.closed_gap))]
        slits += [(slit, measure_aperture(slit, driving)) for slit in EYE_SLITS]
        warp = field.enlarge(above, Window(0, height, 0, width))
        for slit, aperture in slits:
            self._switch_below(warp, below, field, slit, aperture)
        pixels = pixel_grid(height, width, 1, driving)
        person = _sample(torch.cat((source.picture, source.layers.matte)), pixels + warp)
        frames = torch.lerp(source.layers.background.expand(len(driving), -1, -1, -1), person[:, :3], person[:, 3:])
        for slit, aperture in slits:
            self._show_inside(frames, source, slit, aperture, rigid, driving)
        return frames.clamp_(0, 1)

    def _switch_below(self, warp: Tensor, below: Tensor, field: WarpField, slit: Slit, aperture: Aperture) -> None:
        """Put the lower field into ``warp`` (B, 2, h, w) below the middle of one slit, where the two differ."""
        margins = _BELOW_MOUTH if slit is MOUTH else _BELOW_EYE
        window = aperture.surroundings(warp.shape[2:], **margins)
        if window.empty:
            return
        along, over = aperture.place(window.pixels(warp))
        upper_edge, lower_edge = aperture.edges(along)
        # The window serves the whole batch; each frame stays within its own margins.
        near = (along - 0.5).abs() < 0.5 + margins["beside"]
        near &= over > lower_edge - margins["below"] * aperture.length[:, None]
        part = window.of(warp)
        lower = (near & (over < (upper_edge + lower_edge) / 2)).reshape(-1, 1, *part.shape[2:])
        part.copy_(torch.where(lower, field.enlarge(below, window), part))

    def _show_inside(
        self, frames: Tensor, source: PreparedSource, slit: Slit, aperture: Aperture, rigid: Similarity, driving: Tensor
    ) -> None:
        """Draw what is seen through one slit into ``frames``, inside the slit's bounding box only."""
        window = aperture.surroundings(frames.shape[2:], beside=0.05, above=0.05, below=0.05)
        if window.empty:
            return
        pixels = window.pixels(frames)
        along, over = aperture.place(pixels)
        upper_edge, lower_edge = aperture.edges(along)
        cover = torch.minimum(upper_edge - over + 0.5, over - lower_edge + 0.5)
        cover = cover.clamp(0, 1) * ((upper_edge - lower_edge) / 1.0).clamp(0, 1) * ((along > 0) & (along < 1))
        place = _undo_rigid(pixels, rigid, source.landmarks[[*slit.upper, *slit.lower]].mean(0))
        inside = _colours(source.picture, place)
        if slit is MOUTH:
            inside = self._mouth_inside(source, inside, place, rigid, driving, upper_edge - over, over - lower_edge)
        part = window.of(frames)
        painted = inside.transpose(1, 2).reshape(part.shape)
        part.copy_(torch.lerp(part, painted, cover.reshape(-1, 1, *part.shape[2:])))

    def _mouth_inside(
        self,
        source: PreparedSource,
        own: Tensor,
        place: Tensor,
        rigid: Similarity,
        driving: Tensor,
        below_lip: Tensor,
        above_lip: Tensor,
    ) -> Tensor:
        """Painted teeth and cavity, with the portrait's own where it shows them."""
        along, over = source.mouth.place(place)
        length = source.mouth.length[:, None]
        upper_edge, lower_edge = source.mouth.edges(along)
        seam = (upper_edge * 0.8 + lower_edge * 0.2) if source.own_inside else (upper_edge + lower_edge) / 2
        v_skull = (seam - over) / length
        # The jaw's drop, as the lower lip shows it.
        drop = ((driving - rigid.apply(source.landmarks[None]))[:, [_LOWER_LIP]] * _down(driving)).sum(-1)
        scale = (rigid.scale[:, None] * length).clamp_min(1.0)
        v_jaw = v_skull - drop / scale
        depth = (torch.minimum(below_lip, above_lip) / (0.12 * scale)).clamp(0, 1)
        painted = paint_mouth(source.colours, 2 * along - 1, v_skull, v_jaw, depth)
        # A shadow under the upper lip, so that the teeth lie behind it.
        painted = painted * (0.62 + 0.38 * (below_lip / (0.05 * scale)).clamp(0, 1))[..., None]
        shown = torch.minimum(upper_edge - over, over - lower_edge) + 1.0  # up to the lips' very edge
        return torch.lerp(painted, own, (source.own_inside * shown.clamp(0, 1))[..., None])


def _mean_colour(picture: Tensor, landmarks: Tensor, vertices: tuple[int, ...]) -> Tensor:
    """(3,) mean colour of the picture at some vertices."""
    return _colours(picture, landmarks[None, list(vertices), :2])[0].mean(0)


def _sample(picture: Tensor, places: Tensor) -> Tensor:
    """Colours (B, 3, R, C) of picture (3, h, w) at pixel positions (B, 2, R, C), bilinear, edges repeated."""
    height, width = picture.shape[1:]
    grid = places.permute(0, 2, 3, 1) * (2 / places.new_tensor((width, height))) - 1
    pictures = picture[None].expand(grid.shape[0], -1, -1, -1)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _colours(picture: Tensor, places: Tensor) -> Tensor:
    """Colours (B, N, 3) of picture (3, h, w) at pixel positions (B, N, 2)."""
    return _sample(picture, places.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)


def _undo_rigid(pixels: Tensor, rigid: Similarity, pivot: Tensor) -> Tensor:
    """Source positions (B, N, 2) of frame pixels (1, N, 2), for what lies in the plane of the eyes and lips.

    The head's motion of that plane, seen in the picture, is affine: the upper left part of the rotation.
    """
    offset = pixels - rigid.apply(pivot[None, None])[:, :, :2]  # (B, N, 2)
    (a, b), (c, d) = (row.unbind(1) for row in rigid.rotation[:, :2, :2].unbind(1))
    # A head seen edge on has no inverse; the floor keeps what is drawn then finite.
    determinant = rigid.scale.clamp_min(1e-3) * (a * d - b * c).clamp_min(1e-3)
    inverse = torch.stack((torch.stack((d, -b), 1), torch.stack((-c, a), 1)), 1) / determinant[:, None, None]
    return offset @ inverse.transpose(1, 2) + pivot[:2]


def _down(driving: Tensor) -> Tensor:
    """Unit vectors (B, 1, 3) from forehead to chin in each frame, in the picture plane."""
    down = (driving[:, 152] - driving[:, 10]) * driving.new_tensor((1.0, 1.0, 0.0))
    return F.normalize(down, dim=1)[:, None]
