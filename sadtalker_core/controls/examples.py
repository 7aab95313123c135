"""Directions for networks whose coefficients have no vertices, measured on drawn examples.

The open pack has vertices to move; the official pack has only a regressor from pictures to coefficients. So the open
pack draws the person at rest and with each action, and the regressor measures both. The difference of its coefficients
is, in its own basis, that action of this person.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SadTalkerError
from ..face.morphable import own_vertices
from ..flow import MODEL_FPS, Coefficients, SourceFace
from ..pack import Pack
from ..progress import Progress, no_progress
from ..render.frames import render_frames
from .directions import action_directions

SIZE = 256
"""Longer side of the examples in pixels; regressors use fewer pixels."""


@dataclass(frozen=True, slots=True)
class Examples:
    """One person at rest, then with each of ``ACTION_NAMES`` at full strength."""

    pictures: Tensor
    """(1 + A, 3, h, w) in [0, 1], RGB"""
    landmarks: Tensor
    """(1 + A, 478, 3) in pixels of ``pictures``"""


@torch.inference_mode()
def draw_examples(pack: Pack, face: SourceFace) -> Examples:
    """Draw the person of ``face``, prepared by any pack, with a pack that has vertices.

    Raises:
        SadTalkerError: ``pack`` has no vertices.
    """
    if pack.vertices is None:
        raise SadTalkerError(
            f"Examples can only be drawn by a pack with vertices, such as the open one; '{pack.name}' has none."
        )
    drawn = pack.extractor.extract(face.picture, face.landmarks_in_picture, framing="crop", size=SIZE)
    directions = action_directions(pack.vertices, own_vertices(drawn))
    expression = drawn.expression + torch.cat((torch.zeros_like(directions[:1]), directions))
    track = Coefficients(drawn.basis, MODEL_FPS, expression, drawn.pose.expand(len(expression), -1))
    keypoints = pack.mapping.keypoints(drawn, track)
    return Examples(render_frames(pack.renderer, drawn, keypoints), keypoints.driving)


@torch.inference_mode()
def read_examples(pack: Pack, examples: Examples, *, on_progress: Progress = no_progress) -> Tensor:
    """Coefficients (A, 64) that each of ``ACTION_NAMES`` adds at full strength, measured by its own extractor."""
    count = len(examples.pictures)
    first = pack.extractor.extract(examples.pictures[0], examples.landmarks[0], framing="resize", size=SIZE)
    seen: list[Tensor] = []
    for number, (picture, landmarks) in enumerate(zip(examples.pictures, examples.landmarks, strict=True), 1):
        expression, _ = pack.extractor.follow(first, picture, landmarks)
        seen.append(expression)
        on_progress(number, count)
    return torch.stack(seen[1:]) - seen[0]
