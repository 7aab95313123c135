"""With the open pack: each frame is a portrait of its own, whose lower face is moved where the speech wants it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...dub.blend import even_box, lay_over, lower_face_mask
from ...dub.survey import Survey, View, mouth_gap
from ...errors import SadTalkerError
from ...face.aperture import MOUTH, measure_aperture
from ...face.crop import crop_picture, face_crop, landmarks_in_crop
from ...face.framing import OWN_SIZE
from ...face.morphable import MorphableModel, from_picture_frame, to_picture_frame
from ...face.regions import INNER_LIPS, OUTER_LIPS, STABLE
from ...flow import Coefficients, move_to
from ...geometry import similarity_between
from ...pack import Pack
from ...tracks.matching import stream_of
from ...tracks.regions import region_weights
from .layers import Layers
from .renderer import EYE_SLITS, FIELD_STRIDE, LayeredSource, MeshRenderer
from .warp_field import build_warp_field

_REACH = 1.6
"""Half the side of the part that is drawn, in distances between the outer eye corners."""
_CLOSED = 0.1
"""Share of the frames, those with the mouth closed most, whose median is the face at rest."""
_LIP_CLEARANCE, _OPEN_GAP = 0.15, 0.1
"""Share of the lips' thickness that is taken for teeth, from an opening of so many mouth widths on; twice as much would
stretch the lips into streaks."""
_UNIT = 100.0
"""Pixels a canonical unit, where the face at rest is fitted."""


class MeshDubber:
    """The lower face of one person, in whatever frame of a video."""

    def __init__(self, pack: Pack, survey: Survey) -> None:
        if pack.vertices is None or not isinstance(pack.renderer, MeshRenderer):
            raise SadTalkerError(f"The pack '{pack.name}' dubs with a mesh, but has no vertices or no mesh renderer.")
        self.renderer, self.model = pack.renderer, pack.vertices
        model = self.model
        device = survey.rest.picture.device
        self.rest = _rest_shape(model, survey.points[survey.found].to(device), survey.gap[survey.found])
        """(478, 3) the person at rest, canonical"""
        seen = from_picture_frame(self.rest * _UNIT, 0, 0)
        self.own = model.fit(seen[None], 0, 0).expression[0]
        self.weight = region_weights(model, "mouth")[:, None]
        self.mouth = self._mouth(pack, survey.open, seen)

    def draw(self, picture: Tensor, points: Tensor, speech: Coefficients, index: int) -> Tensor:
        """See ``dub.dubber.Dubber``."""
        height, width = picture.shape[1:]
        points = points.to(picture)
        crop = even_box(face_crop(points, width, height, OWN_SIZE, _REACH))
        landmarks = landmarks_in_crop(points, crop)
        driving = self._driven(landmarks, stream_of(speech, "expression")[index])
        source = self._source(crop_picture(picture, crop), landmarks)
        frame = self.renderer.render(source, driving[None])
        self.renderer.show_mouth(frame, self.mouth, driving[None])
        mask = lower_face_mask(torch.stack((landmarks, driving)), crop)
        return lay_over(picture, crop, frame[0], mask)

    def _driven(self, landmarks: Tensor, expression: Tensor) -> Tensor:
        """The landmarks with the lower face of the person at rest, moved by the expression: what the face said in the
        video is gone from it."""
        seen = to_picture_frame(landmarks, 0, 0)[None]
        camera = similarity_between(self.rest[None, list(STABLE)], seen[:, list(STABLE)])
        target = camera.apply(self.rest + self.model.offsets((expression - self.own)[None]))
        return from_picture_frame(torch.lerp(seen, target, self.weight), 0, 0)[0]

    def _source(self, picture: Tensor, landmarks: Tensor) -> LayeredSource:
        """As ``MeshRenderer.prepare``, but all in one layer: the head does not move, so nothing behind it shows."""
        height, width = picture.shape[1:]
        landmarks = _with_lips_clear_of_teeth(landmarks)
        nothing = picture.new_zeros(1, height, width)
        layers = Layers(nothing + 1, picture, picture, nothing, nothing[0, :, 0])
        return replace(
            self.mouth,
            picture=picture,
            landmarks=landmarks,
            layers=layers,
            field=move_to(build_warp_field(landmarks, width, height, FIELD_STRIDE), picture.device),
            mouth=measure_aperture(MOUTH, landmarks[None]),
            eyes=tuple(measure_aperture(slit, landmarks[None]) for slit in EYE_SLITS),
        )

    def _mouth(self, pack: Pack, view: View, rest: Tensor) -> LayeredSource:
        """What shows between the lips: in all frames what the one with the mouth open most shows, so that teeth do not
        come and go with what was said in the video."""
        face = pack.extractor.extract(view.picture, view.points.to(view.picture), framing="crop", size=OWN_SIZE)
        source = self.renderer.prepare(face, face.landmarks)
        mouth = measure_aperture(MOUTH, rest[None])
        gap = (mouth.heights[0, 0] - mouth.heights[0, 1]) / mouth.length[0]
        return replace(source, closed_gap=gap)


def _with_lips_clear_of_teeth(landmarks: Tensor) -> Tensor:
    """Landmarks (478, 3) whose inner lip line lies a little further out the wider the mouth is open.

    It is found slightly inside the teeth, which lips that close would carry along as a white sliver.
    """
    cleared = landmarks.clone()
    weight = _LIP_CLEARANCE * min(mouth_gap(landmarks) / _OPEN_GAP, 1.0)
    cleared[list(INNER_LIPS)] = torch.lerp(landmarks[list(INNER_LIPS)], landmarks[list(OUTER_LIPS)], weight)
    return cleared


def _rest_shape(model: MorphableModel, points: Tensor, gap: Tensor) -> Tensor:
    """(478, 3) canonical median of the frames with the mouth closed most, of landmarks (F, 478, 3)."""
    closed = gap <= gap.quantile(_CLOSED)
    seen = to_picture_frame(points[closed.to(points.device)], 0, 0)
    fit = model.fit(points[closed.to(points.device)], 0, 0)
    shapes = model.align(seen, fit.identity, fit.expression).invert(seen)
    return shapes.median(0).values
