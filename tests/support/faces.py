"""Portraits made by hand."""

from __future__ import annotations

from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, SourceFace
from sadtalker_pack.sadtalker_core.geometry import Similarity
from torch import Tensor


def source_face(
    picture: Tensor,
    cropped: Tensor,
    crop: Crop,
    landmarks: Tensor,
    identity: Tensor,
    own: Coefficients,
    camera: Similarity | None = None,
) -> SourceFace:
    """A face whose own expression, pose and place are those of a track of one frame."""
    assert own.expression is not None
    assert own.pose is not None
    return SourceFace(
        picture,
        cropped,
        crop,
        landmarks,
        identity,
        basis=own.basis,
        expression=own.expression[0],
        pose=own.pose[0],
        camera=camera,
        place=None if own.crop is None else own.crop[0],
    )
