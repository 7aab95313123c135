"""One picture of a portrait with the controls of the editor, fast enough to follow a slider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..checks import check_basis
from ..face.crop import crop_picture, landmarks_in_crop, whole_picture
from ..flow import SourceFace
from ..pack import Pack
from .sliders import apply_controls, check_value

PREVIEW_SIZE = 384
"""Longer side of the preview in pixels."""


@dataclass(frozen=True, slots=True)
class PreviewSubject:
    """A portrait, prepared once for many previews."""

    face: SourceFace
    directions: Tensor | None
    """(A, 64), see ``action_directions``; None if the pack has none"""
    source: Any
    """the portrait as the pack's renderer has prepared it"""


@torch.inference_mode()
def prepare_subject(pack: Pack, face: SourceFace, directions: Tensor | None) -> PreviewSubject:
    """Prepare everything that does not depend on the sliders.

    A renderer that accepts any size gets a reduced portrait; the networks of the official pack have a fixed size.

    Raises:
        BasisMismatchError: face and pack have different bases.
    """
    check_basis("The expression editor", pack.basis, face.basis)
    if pack.renderer.any_size:
        face = smaller_face(face, PREVIEW_SIZE)
    keypoints = pack.mapping.keypoints(face, face.coefficients)
    return PreviewSubject(face, directions, pack.renderer.prepare(face, keypoints.source))


def smaller_face(face: SourceFace, size: int) -> SourceFace:
    """The face, reduced to frames whose longer side is at most ``size`` pixels."""
    height, width = face.cropped.shape[1:]
    whole = whole_picture(width, height, size)
    across, down = whole.scale
    return replace(
        face,
        cropped=crop_picture(face.cropped, whole),
        crop=replace(face.crop, width=whole.width, height=whole.height),
        landmarks=landmarks_in_crop(face.landmarks, whole),
        camera=None if face.camera is None else face.camera.enlarged((across * down) ** 0.5),
    )


@torch.inference_mode()
def draw_subject(pack: Pack, subject: PreviewSubject, values: Mapping[str, float]) -> Tensor:
    """The portrait (3, h, w) in [0, 1] with the given values of controls, angles (degrees) and channels.

    Raises:
        ControlError: a name is unknown, or a value is out of range.
    """
    device = subject.face.landmarks.device
    curves = {name: torch.tensor([check_value(name, value)], device=device) for name, value in values.items()}
    coefficients = apply_controls(subject.face.coefficients, curves, subject.directions)
    keypoints = pack.mapping.keypoints(subject.face, coefficients)
    return pack.renderer.render(subject.source, keypoints.driving)[0]
