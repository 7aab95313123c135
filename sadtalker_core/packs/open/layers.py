"""The portrait in two layers: the person, who moves, and the background behind, which stays above the shoulders."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...face.person import BodyPrior, find_person, largest_part
from ...face.regions import FACE_OVAL
from ...pictures.ramps import smoothstep

_WORKING_SIDE = 256
"""Longer side in pixels of the picture in which the person is looked for."""
_GRABCUT_ROUNDS = 4
_GROWTH = 0.03
"""How far the person is grown, in face widths: fine hair belongs to it, and a rim of background that moves along is
seen less than hair that is cut off."""
_FADE = 0.02
"""Over which its edge fades, same unit; over as much again, further out, what is filled in fades into the picture."""
_NECK = (-0.25, 0.05)
"""Between these heights, in face heights below the chin, the background begins to move with the neck and shoulders.
They move little, and what GrabCut missed of a collar would show beside the one that moves."""
_RELAXATIONS = 16
"""Steps at each resolution of the membrane that fills the background."""
_LEAST_BACKGROUND = 0.02
"""Share of the picture, well outside the person, below which there is no background worth a layer of its own."""
_BODY = BodyPrior(head=(1.5, 1.6), rise=0.12, shoulders=((0.35, -0.15), (0.6, 0.0), (1.3, 0.2), (1.7, 0.5), (1.7, 9.0)))
"""Wide on purpose: hair and clothes left out here would be learnt as colours of the background, while that shows its
colours at the rim often enough."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Put together at rest, person + (1 - matte) * background, they are the portrait again."""

    matte: Tensor
    """(1, h, w) the person: 1 inside, 0 outside"""
    person: Tensor
    """(3, h, w) what to add to the background behind the matte: the portrait inside it; in its faded edge and around
    it what fine hair and shadow change of the background, which may be below 0"""
    background: Tensor
    """(3, h, w) the portrait far from the person, and near and inside what may show when the person moves away"""
    filled: Tensor
    """(1, h, w) how far ``background`` was filled in: 1 near and inside the person, 0 far from it"""
    follows: Tensor
    """(h,) how far each row of the background moves with the person: 0 above the shoulders, 1 below the chin"""


def split_layers(picture: Tensor, landmarks: Tensor) -> Layers:
    """Find the person with the face of landmarks (478, 3), pixels, in a picture (3, h, w) in [0, 1].

    Where person and background have the same colour the search for the person errs, and there the edge is least seen.
    """
    person = _person(picture, landmarks)
    face = landmarks[list(FACE_OVAL), :2]
    width, height = (face.amax(0) - face.amin(0)).tolist()
    growth, fade = (max(1, round(part * width)) for part in (_GROWTH, _FADE))
    matte = _faded(_grown(person.to(picture), growth), fade)
    near = matte > 0
    # Filled from well outside the edge, where no hair and no shadow of the person is left.
    filled = _faded(near.to(picture), fade)
    if (filled == 0).float().mean() < _LEAST_BACKGROUND:
        nothing = torch.zeros_like(matte)
        return Layers(nothing + 1, picture, picture, nothing, nothing[0, :, 0])
    background = torch.lerp(picture, _filled(picture, filled == 0), filled)
    rows = torch.arange(picture.shape[1], device=picture.device) - face[:, 1].amax()
    follows = smoothstep(((rows / height - _NECK[0]) / (_NECK[1] - _NECK[0])).clamp(0, 1))
    return Layers(matte, picture - (1 - matte) * background, background, filled, follows)


def _grown(mask: Tensor, radius: int) -> Tensor:
    size = 2 * radius + 1  # along one axis after the other, or the time grows with its square
    return F.max_pool2d(F.max_pool2d(mask[None], (size, 1), 1, (radius, 0)), (1, size), 1, (0, radius))[0]


def _faded(mask: Tensor, radius: int) -> Tensor:
    """The mask (1, h, w), and around it a fall from 1 to 0 over twice ``radius`` pixels."""
    size, wide = 2 * radius + 1, _grown(mask, radius)[None]
    wide = F.avg_pool2d(wide, (size, 1), 1, (radius, 0), count_include_pad=False)
    return torch.maximum(mask, F.avg_pool2d(wide, (1, size), 1, (0, radius), count_include_pad=False)[0])


def _person(picture: Tensor, landmarks: Tensor) -> Tensor:
    """(1, h, w) bool"""
    _, found = find_person(picture, landmarks, _BODY, _WORKING_SIDE, _GRABCUT_ROUNDS)
    person = torch.from_numpy(largest_part(found)).float()[None, None]
    large = F.interpolate(person, picture.shape[1:], mode="bilinear")
    return (large[0] > 0.5).to(picture.device)


def _filled(picture: Tensor, known: Tensor) -> Tensor:
    """The picture (3, h, w) where ``known`` (1, h, w) is false with the colours of a membrane stretched between what
    is known, so that it goes on smoothly at the border. Solved from coarse to fine (cascadic multigrid)."""
    weight = known.to(picture)[None]
    colours = picture[None] * weight
    levels = [(colours, weight)]
    while min(weight.shape[2:]) > 1:
        colours, weight = (F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in (colours, weight))
        levels.append((colours, weight))
    filled = torch.zeros_like(colours)
    for colours, weight in reversed(levels):
        filled = F.interpolate(filled, colours.shape[2:], mode="bilinear", align_corners=False)
        fixed, there = weight > 0, colours / weight.clamp_min(1e-6)
        for _ in range(_RELAXATIONS):
            filled = torch.where(fixed, there, filled)
            wide = F.pad(filled, (1, 1, 1, 1), mode="replicate")
            filled = (wide[:, :, 1:-1, 2:] + wide[:, :, 1:-1, :-2] + wide[:, :, 2:, 1:-1] + wide[:, :, :-2, 1:-1]) / 4
    return torch.where(known, picture, filled[0])
