"""The open pack's renderer: a layered warp of the portrait, driven by the posed face mesh.

Layers, back to front: the background, which stays down to the shoulders; the inside of mouth and eyes, seen only
through their apertures; the person, warped by a smooth field with a cut along each slit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_shape
from ...face.aperture import LEFT_EYE_SLIT, MOUTH, RIGHT_EYE_SLIT, SLITS, Aperture, Slit, SlitView, measure_aperture
from ...face.regions import LEFT_IRIS, LOWER_LIP, OUTER_LIPS, RIGHT_IRIS, STABLE, UPPER_LIP
from ...flow import SourceFace, move_to
from ...geometry import Similarity, similarity_between
from ...pictures.grids import Window, pixel_grid
from .eyeball import look
from .eyelids import fold_lids, lashes
from .layers import Layers, split_layers
from .mouth import MouthColours, mouth_colours, paint_mouth
from .slit_field import SlitMesh, build_slit_mesh, draw_slit_field
from .warp_field import WarpField, build_warp_field, joined_motion

FIELD_STRIDE = 2
"""Pixels a cell of the warp field."""
EYE_SLITS = (LEFT_EYE_SLIT, RIGHT_EYE_SLIT)
_IRISES = (LEFT_IRIS[0], RIGHT_IRIS[0])
_INSIDE = {"beside": 0.05, "above": 0.05, "below": 0.05}
"""Margins of the box in which the inside of a slit is drawn, in units of its length."""
_BOTH_SIDES = {"beside": 0.1, "above": 0.45, "below": 0.45}
"""Margins of the box in which the fields of a slit's two sides may differ, same unit."""
_OPEN_MOUTH = (0.05, 0.12)
"""Opening of the portrait's own mouth, in mouth widths, from which its inside is (not at all, fully) kept."""
_WIDE_MOUTH = (0.2, 0.3)
"""The same, from which it is kept whether or not teeth are seen in it."""
_TEETH_LIGHT = (0.55, 0.8)
"""Median brightness between the portrait's lips, as a fraction of the skin's, from which (no, all of) it is teeth."""
_SHADOW_GOES = 0.06
"""How much further than in the portrait the lips part, mouth widths, until a dark gap has become a painted mouth."""
_TEETH_BEGIN, _TEETH_GO_ON = 0.4, 0.12
"""Where between the portrait's lips teeth are seen clearly, from the upper one; how far above it they may go on, mouth
widths."""
CHEEKS = (50, 280, 205, 425)


@dataclass(frozen=True, slots=True)
class LayeredSource:
    """Everything about a portrait that does not change from frame to frame."""

    picture: Tensor
    """(3, h, w) the cropped portrait"""
    landmarks: Tensor
    """(478, 3) pixels"""
    layers: Layers
    field: WarpField
    slit_meshes: tuple[SlitMesh, ...]
    colours: MouthColours
    mouth: Aperture
    """the portrait's own, B = 1"""
    eyes: tuple[Aperture, ...]
    """the portrait's own, in the order of ``EYE_SLITS``, B = 1"""
    lashes: tuple[float, ...]
    """for each eye, see ``eyelids.lashes``"""
    closed_gap: Tensor
    """(K,) see ``measure_aperture``"""
    own_inside: float
    """how far the portrait shows its mouth's inside: 0 closed mouth, 1 open"""
    own_teeth: float
    """how far that is worth keeping when the mouth opens further: 0 a dark gap, 1 teeth or a mouth wide open"""


@dataclass(frozen=True, slots=True)
class _Posed:
    """The portrait in each frame of a batch."""

    rigid: Similarity
    """the head's motion"""
    slits: list[tuple[Slit, Aperture]]
    positions: Tensor
    """(B, 2, h, w) where in the portrait each pixel of the frame lies if it shows the person, pixels"""
    background: Tensor
    """(B, 2, h, w) the same if it shows the background"""


class MeshRenderer(nn.Module):
    """478 driving vertices -> frames at the portrait's own resolution. Has no weights."""

    bytes_per_pixel = 500
    """Some 40 float32 pictures at the peak, with room to spare."""
    any_size = True

    def prepare(self, face: SourceFace, source_keypoints: Tensor) -> LayeredSource:
        """Everything that is needed once a portrait; source vertices (478, 3), pixels of the cropped portrait."""
        check_shape("source keypoints", source_keypoints, "478 3")
        picture, landmarks = face.cropped, source_keypoints
        height, width = picture.shape[1:]
        mouth = measure_aperture(MOUTH, landmarks[None])
        gap = (mouth.heights[0, 0] - mouth.heights[0, 1]) / mouth.length[0]
        own_inside = _share(_OPEN_MOUTH, gap.amax())
        lips, skin = (_mean_colour(picture, landmarks, vertices) for vertices in (OUTER_LIPS, CHEEKS))
        eyes = tuple(measure_aperture(slit, landmarks[None]) for slit in EYE_SLITS)
        field = build_warp_field(landmarks, width, height, FIELD_STRIDE)
        return LayeredSource(
            picture,
            landmarks,
            split_layers(picture, landmarks),
            move_to(field, picture.device),
            tuple(move_to(build_slit_mesh(slit), picture.device) for slit in SLITS),
            mouth_colours(lips, skin),
            mouth,
            eyes,
            tuple(lashes(picture, eye) for eye in eyes),
            gap * (1 - own_inside),
            own_inside,
            max(_share(_WIDE_MOUTH, gap.amax()), _share(_TEETH_LIGHT, _brightness(picture, mouth) / skin.mean())),
        )

    @torch.inference_mode()
    def render(self, source: LayeredSource, driving: Tensor) -> Tensor:
        """Frames (B, 3, h, w) in [0, 1] for driving vertices (B, 478, 3), pixels of the cropped portrait."""
        posed = self._pose(source, driving)
        layers = source.layers
        person = _sample(torch.cat((layers.person, layers.matte)), posed.positions)
        frames = layers.background.expand(len(driving), -1, -1, -1).clone()
        top = int((layers.follows == 0).sum())
        frames[:, :, top:] = _sample(layers.background, posed.background[:, :, top:])
        frames.mul_(1 - person[:, 3:]).add_(person[:, :3])
        for slit, aperture in posed.slits:
            self._show_inside(frames, source, slit, aperture, posed.rigid, driving)
        return frames.clamp_(0, 1)

    @torch.inference_mode()
    def matte(self, source: LayeredSource, driving: Tensor) -> Tensor:
        """How far each pixel of the frames shows the person (B, h, w): 1 the person, 0 the background behind."""
        return _sample(source.layers.matte, self._pose(source, driving).positions)[:, 0]

    @torch.inference_mode()
    def source_positions(self, source: LayeredSource, driving: Tensor) -> tuple[Tensor, Tensor]:
        """Where each pixel of the frames comes from.

        Returns:
            (B, 2, h, w) its x and y in the cropped portrait, pixels, the first pixel's centre at 0.5; and (B, 1, h, w)
            from 1 where it shows what the portrait shows there to 0 where it was painted or filled in.
        """
        posed = self._pose(source, driving)
        matte, filled = source.layers.matte, source.layers.filled
        person, near = _sample(torch.cat((matte, filled)), posed.positions).split(1, 1)
        positions = torch.where(person > 0.5, posed.positions, posed.background)
        trust = torch.where(person > 0.5, person, (1 - near) * (1 - _sample(filled, posed.background)))
        for slit, aperture in posed.slits:
            window = aperture.surroundings(matte.shape[1:], **_INSIDE)
            if window.empty:
                continue
            pixels = window.pixels(driving)
            there, sure = window.of(positions), window.of(trust)
            cover = aperture.view(pixels).cover.reshape(sure.shape)
            if slit is not MOUTH:
                eye = _inside_place(source, slit, pixels, posed.rigid, driving).transpose(1, 2).reshape(there.shape)
                there.copy_(torch.where(cover > 0.5, eye, there))
            sure.mul_((1 - cover) if slit is MOUTH else (2 * cover - 1).abs())
        return positions, trust

    @torch.inference_mode()
    def show_mouth(self, frames: Tensor, source: LayeredSource, driving: Tensor) -> None:
        """Draw the inside of a portrait's mouth into frames (B, 3, h, w) of the same person, between the lips of the
        driving vertices (B, 478, 3), their pixels."""
        rigid = similarity_between(source.landmarks[None, list(STABLE)], driving[:, list(STABLE)])
        aperture = measure_aperture(MOUTH, driving, source.closed_gap)
        self._show_inside(frames, source, MOUTH, aperture, rigid, driving)

    def _pose(self, source: LayeredSource, driving: Tensor) -> _Posed:
        check_shape("driving", driving, "B 478 3")
        rigid = similarity_between(source.landmarks[None, list(STABLE)], driving[:, list(STABLE)])
        slits = [(MOUTH, measure_aperture(MOUTH, driving, source.closed_gap))]
        slits += [(slit, measure_aperture(slit, driving)) for slit in EYE_SLITS]
        warp = self._warp(source, driving, rigid, [aperture for _, aperture in slits])
        height, width = source.picture.shape[1:]
        still = pixel_grid(height, width, 1, driving)
        return _Posed(rigid, slits, still + warp, still + source.layers.follows[:, None] * warp)

    def _warp(self, source: LayeredSource, driving: Tensor, rigid: Similarity, apertures: Sequence[Aperture]) -> Tensor:
        """Displacement (B, 2, h, w), pixels, from a pixel of the frame to its place in the portrait."""
        field = source.field
        height, width = source.picture.shape[1:]
        vertices = field.mesh.drive(driving, rigid.apply(field.mesh.vertices[None]))
        upper = field.backward(joined_motion((vertices - field.mesh.vertices)[..., :2]))
        lower = upper.clone()
        for mesh in source.slit_meshes:
            drawn = draw_slit_field(mesh, source.landmarks, driving, field.rows, field.columns, field.stride)
            if drawn.window.empty:
                continue
            for whole, part, weight in zip((upper, lower), drawn.backward, drawn.weight, strict=True):
                place = drawn.window.of(whole)
                place.copy_(torch.lerp(place, part, weight * drawn.window.of(field.hold)))
        for own, aperture, weight in zip(source.eyes, apertures[1:], source.lashes, strict=True):
            fold_lids(upper, lower, own, aperture, weight, field.stride)
        warp = field.enlarge(upper, Window(0, height, 0, width))
        for aperture in apertures:
            window = aperture.surroundings(warp.shape[2:], **_BOTH_SIDES)
            if not window.empty:
                along, over = aperture.place(window.pixels(warp))
                upper_edge, lower_edge = aperture.edges(along)
                part = window.of(warp)
                below = over < (upper_edge + lower_edge) / 2
                # The window serves the whole batch; each frame stays within its own margins.
                below &= (along - 0.5).abs() < 0.5 + _BOTH_SIDES["beside"]
                below &= over > lower_edge - _BOTH_SIDES["below"] * aperture.length[:, None]
                below = below.reshape(-1, 1, *part.shape[2:])
                part.copy_(torch.where(below, field.enlarge(lower, window), part))
        return warp

    def _show_inside(
        self, frames: Tensor, source: LayeredSource, slit: Slit, aperture: Aperture, rigid: Similarity, driving: Tensor
    ) -> None:
        """Draw what is seen through one slit into ``frames``, inside the slit's bounding box only."""
        window = aperture.surroundings(frames.shape[2:], **_INSIDE)
        if window.empty:
            return
        pixels = window.pixels(frames)
        view = aperture.view(pixels)
        place = _inside_place(source, slit, pixels, rigid, driving)
        inside = _colours(source.picture, place)
        if slit is MOUTH:
            inside = self._mouth_inside(source, inside, place, rigid, driving, view)
        part = window.of(frames)
        painted = inside.transpose(1, 2).reshape(part.shape)
        part.copy_(torch.lerp(part, painted, view.cover.reshape(-1, 1, *part.shape[2:])))

    def _mouth_inside(
        self,
        source: LayeredSource,
        own: Tensor,
        place: Tensor,
        rigid: Similarity,
        driving: Tensor,
        view: SlitView,
    ) -> Tensor:
        """Painted teeth and cavity, with the portrait's own where it shows them."""
        along, over = source.mouth.place(place)
        length = source.mouth.length[:, None]
        upper_edge, lower_edge = source.mouth.edges(along)
        seam = (upper_edge * 0.8 + lower_edge * 0.2) if source.own_inside else (upper_edge + lower_edge) / 2
        v_skull = (seam - over) / length
        # The jaw drops as the lower lip shows it; the skull stays, and the upper lip may rise from its teeth.
        moved = ((driving - rigid.apply(source.landmarks[None]))[:, [UPPER_LIP, LOWER_LIP]] * _down(driving)).sum(-1)
        scale = (rigid.scale[:, None] * length).clamp_min(1.0)
        rise, drop = (-moved[:, :1] / scale).clamp_min(0), moved[:, 1:] / scale
        v_jaw = (lower_edge - over) / length - drop
        rim = torch.minimum(view.below_upper, view.above_lower).clamp_min(0) / scale
        painted = paint_mouth(source.colours, 2 * along - 1, v_skull, v_jaw, rim)
        # A shadow under the upper lip, so that the teeth lie behind it.
        painted = painted * (0.62 + 0.38 * (view.below_upper / (0.05 * scale)).clamp(0, 1))[..., None]
        if not source.own_inside:
            return painted
        # A rising lip shows more of the portrait's own teeth: they go on as they look a little below its edge.
        below = _TEETH_BEGIN * (upper_edge - lower_edge) * (rise / _TEETH_GO_ON).clamp(0, 1)
        raised = (over - upper_edge + below).clamp_min(0)
        up = torch.stack((source.mouth.axis[:, 1], -source.mouth.axis[:, 0]), 1)[:, None]
        more = _colours(source.picture, place - raised[..., None] * up)
        longer = (1 - (over - upper_edge) / (_TEETH_GO_ON * length)).clamp(0, 1) * ((along > 0) & (along < 1))
        own = torch.where((raised > 0)[..., None], torch.lerp(painted, more, longer[..., None]), own)
        shown = (over - lower_edge + 1.0).clamp(0, 1) * ((along > -0.01) & (along < 1.01))  # up to the lip's very edge
        wider = ((rise + drop) / _SHADOW_GOES).clamp(0, 1)
        kept = source.own_inside * (1 - wider * (1 - source.own_teeth))
        return torch.lerp(painted, own, (kept * shown)[..., None])


def _inside_place(source: LayeredSource, slit: Slit, pixels: Tensor, rigid: Similarity, driving: Tensor) -> Tensor:
    """Places in the portrait (B, N, 2) of what frame pixels (1, N, 2) show through a slit."""
    pivot = _middle(source, slit)
    place = _undo_rigid(pixels, rigid, pivot)
    if slit is MOUTH:
        return place
    eye = EYE_SLITS.index(slit)
    iris = source.landmarks[_IRISES[eye], :2]
    moved = _undo_rigid(driving[:, [_IRISES[eye]], :2], rigid, pivot)[:, 0]
    return look(source.eyes[eye], iris, moved - iris, place)


def _middle(source: LayeredSource, slit: Slit) -> Tensor:
    """(3,) middle of a slit in the portrait."""
    return source.landmarks[[*slit.upper, *slit.lower]].mean(0)


def _mean_colour(picture: Tensor, landmarks: Tensor, vertices: tuple[int, ...]) -> Tensor:
    """(3,) mean colour of the picture at some vertices."""
    return _colours(picture, landmarks[None, list(vertices), :2])[0].mean(0)


def _brightness(picture: Tensor, aperture: Aperture) -> Tensor:
    """Median brightness of what picture (3, h, w) shows within an aperture, B = 1; 0 if it is closed."""
    window = aperture.surroundings(picture.shape[1:], **_INSIDE)
    if window.empty:
        return picture.new_zeros(())
    seen = window.of(picture[None]).mean(1).flatten()[aperture.view(window.pixels(picture)).cover[0] > 0.5]
    return seen.median() if seen.numel() else picture.new_zeros(())


def _share(limits: tuple[float, float], value: Tensor) -> float:
    """0 below the limits, 1 above them."""
    low, high = limits
    return float(((value - low) / (high - low)).clamp(0, 1))


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
