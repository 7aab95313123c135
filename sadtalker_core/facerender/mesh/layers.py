"""The portrait in two layers: the person, who moves, and the background behind, which stays."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...face3d.regions import FACE_OVAL

_WORKING_SIDE = 256
"""Longer side in pixels of the picture in which the person is looked for."""
_GRABCUT_ROUNDS = 4
_GROWTH = 0.05
"""How far the person is grown, in face widths: fine hair belongs to it, and a rim of background that moves along is
seen less than hair that is cut off."""
_FADE = 0.03
"""Over which its edge fades, same unit."""
_NECK = (-0.25, 0.0)
"""Between these heights, in face heights below the chin, the background begins to move with the neck and shoulders.
They move little, and a cut along a collar shows more than a background that follows them."""
_LEAST_BACKGROUND = 0.02
"""Share of the picture below which there is no background worth a layer of its own."""

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layers:
    """Put together at rest they are the portrait again, exactly."""

    matte: Tensor
    """(1, h, w) the person: 1 inside, 0 outside"""
    background: Tensor
    """(3, h, w) the portrait outside the person, and inside what may show when the person moves away"""


def split_layers(picture: Tensor, landmarks: Tensor) -> Layers:
    """Find the person with the face of landmarks (478, 3), pixels, in a picture (3, h, w) in [0, 1].

    GrabCut (Rother, Kolmogorov and Blake, 2004) from what a face tells of where head, neck and shoulders are. Where
    person and background have the same colour it errs, and there the edge is least seen.
    """
    person = _person(picture, landmarks)
    if 1 - person.float().mean() < _LEAST_BACKGROUND:
        return Layers(torch.ones_like(picture[:1]), picture)
    face = landmarks[list(FACE_OVAL), :2]
    width, height = (face.amax(0) - face.amin(0)).tolist()
    growth, fade = (max(1, round(share * width)) for share in (_GROWTH, _FADE))
    grown = _grown(person.to(picture), growth)
    faded = F.avg_pool2d(_grown(grown, fade)[None], 2 * fade + 1, 1, fade, count_include_pad=False)[0]
    rows = torch.arange(picture.shape[1], device=picture.device) - face[:, 1].amax()
    held = ((rows / height - _NECK[0]) / (_NECK[1] - _NECK[0])).clamp(0, 1)[:, None]
    matte = torch.maximum(torch.maximum(grown, faded), held)
    # Where the edge fades the background is the picture, or the layers would not add up to it.
    return Layers(matte, torch.where(grown > 0, _filled(picture, grown == 0), picture))


def _grown(mask: Tensor, reach: int) -> Tensor:
    return F.max_pool2d(mask[None], 2 * reach + 1, 1, reach)[0]


def _person(picture: Tensor, landmarks: Tensor) -> Tensor:
    """(1, h, w) bool"""
    height, width = picture.shape[1:]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    levels = (picture * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
    small = cv2.resize(levels, size, interpolation=cv2.INTER_AREA)
    labels = _prior(landmarks[:, :2].cpu().double().numpy() * scale, *size)
    if (labels == cv2.GC_BGD).any() or (labels == cv2.GC_PR_BGD).any():
        cv2.setRNGSeed(0)  # its first guess of colours is drawn at random
        colours = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, (0, 0, 0, 0), *colours, _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = _largest(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8))
    large = F.interpolate(torch.from_numpy(person).float()[None, None], (height, width), mode="bilinear")
    return (large[0] > 0.5).to(picture.device)


def _prior(points: NDArray[np.float64], width: int, height: int) -> Mask:
    """What the face says of each pixel: surely or probably the person, or the background."""
    outline, chin = points[list(FACE_OVAL)], points[152]
    centre, face = outline.mean(0), np.ptp(outline, axis=0)
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)

    def draw(shape: NDArray[np.float64], label: int) -> None:
        cv2.fillPoly(labels, [np.rint(shape).astype(np.int32)], label)

    def below_chin(*corners: tuple[float, float]) -> NDArray[np.float64]:
        """Corners of the right half, in face widths and heights from the chin; mirrored to the left."""
        right = np.array(corners) * face
        return chin + np.concatenate((right, right[::-1] * (-1, 1)))

    draw(centre + (outline - centre) * (1.35, 1.5) - (0, 0.12 * face[1]), cv2.GC_PR_FGD)  # head and hair
    draw(below_chin((0.35, -0.1), (0.5, 0.35), (1.3, 0.7), (1.5, 9.0)), cv2.GC_PR_FGD)  # shoulders
    y, x = np.mgrid[:height, :width]
    reach = ((x - centre[0]) / face[0]) ** 2 + ((y - centre[1]) / face[1] + 0.1) ** 2
    rim = np.minimum(np.minimum(x, width - 1 - x), y) < max(2, height // 64)
    labels[(reach > 1.15**2) & rim & (y < chin[1])] = cv2.GC_BGD
    draw(centre + (outline - centre) * 1.02, cv2.GC_FGD)
    draw(below_chin((0.2, -0.15), (0.2, 0.25)), cv2.GC_FGD)  # neck
    return labels


def _largest(mask: Mask) -> Mask:
    """The largest connected part, without holes."""
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask)
    if count > 1:
        mask = (parts == 1 + facts[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, (1,), cv2.FILLED)
    return mask


def _filled(picture: Tensor, known: Tensor) -> Tensor:
    """The picture (3, h, w) with smooth colours where ``known`` (1, h, w) is false: a pyramid of means, from coarse
    to fine (push-pull; Gortler et al., 1996)."""
    weight = known.to(picture)[None]
    colours = picture[None] * weight
    levels = [(colours, weight)]
    while min(weight.shape[2:]) > 1:
        colours, weight = (F.avg_pool2d(each, 2, ceil_mode=True, count_include_pad=False) for each in (colours, weight))
        levels.append((colours, weight))
    colours, weight = levels.pop()
    filled = colours / weight.clamp_min(1e-6)
    for colours, weight in reversed(levels):
        coarse = F.interpolate(filled, colours.shape[2:], mode="bilinear", align_corners=False)
        share = weight.clamp(0, 1)
        filled = torch.where(weight > 0, torch.lerp(coarse, colours / weight.clamp_min(1e-6), share), coarse)
    return filled[0]
