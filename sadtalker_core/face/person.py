"""Which pixels of a picture show the person with a given face: GrabCut from what a face tells of where a body is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .regions import FACE_OVAL

Mask = NDArray[np.uint8]
Corners = tuple[tuple[float, float], ...]
"""Corners of the right half of a shape, in face widths and heights from the chin; the left half mirrors it."""
_NECK: Corners = ((0.2, -0.15), (0.2, 0.25))
_SURE_FACE = 1.02
"""Size of what surely is the face, against its outline."""
_NEAR = 1.15
"""Distance from the face, in its widths and heights, from which the picture's rim is surely background."""


@dataclass(frozen=True, slots=True)
class BodyPrior:
    """What a face tells of its surroundings, in face widths and heights."""

    head: tuple[float, float]
    """size of head and hair against the face's outline, which may be the person"""
    rise: float
    """how far the head's middle lies above the face's"""
    shoulders: Corners
    """what may be the person"""
    chest: Corners = ()
    """what surely is"""
    far: float | None = None
    """distance from the face from which all above the chin is surely background; None: only the picture's rim is"""


def find_person(picture: Tensor, landmarks: Tensor, prior: BodyPrior, side: int, rounds: int) -> tuple[Mask, Mask]:
    """Look for the person with the face of landmarks (478, 3), pixels, in a picture (3, H, W) in [0, 1].

    GrabCut (Rother, Kolmogorov and Blake, 2004).

    Args:
        side: longer side in pixels of the smaller picture in which it looks.
        rounds: of GrabCut.

    Returns:
        The smaller picture (h, w, 3) in 0..255, and a mask (h, w) of it: 1 the person, 0 the background.
    """
    height, width = picture.shape[1:]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    levels = (picture * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
    small = cv2.resize(levels, size, interpolation=cv2.INTER_AREA)
    labels = _labels(landmarks[:, :2].cpu().double().numpy() * scale, *size, prior)
    if np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        cv2.setRNGSeed(0)  # its first guess of colours is drawn at random
        colours = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(small, labels, (0, 0, 0, 0), *colours, rounds, cv2.GC_INIT_WITH_MASK)
    return np.asarray(small, np.uint8), np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def largest_part(mask: Mask) -> Mask:
    """The largest connected part, without holes."""
    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask)
    if count > 1:
        mask = (parts == 1 + facts[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, contours, -1, (1,), cv2.FILLED)
    return mask


def _labels(points: NDArray[np.float64], width: int, height: int, prior: BodyPrior) -> Mask:
    """What the face says of each pixel: surely or probably the person, or the background."""
    outline, chin = points[list(FACE_OVAL)], points[152]
    centre, face = outline.mean(0), np.ptp(outline, axis=0)
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)

    def draw(shape: NDArray[np.float64], label: int) -> None:
        cv2.fillPoly(labels, [np.rint(shape).astype(np.int32)], label)

    def below_chin(corners: Corners) -> NDArray[np.float64]:
        right = np.array(corners) * face
        return chin + np.concatenate((right, right[::-1] * (-1, 1)))

    draw(centre + (outline - centre) * prior.head - (0, prior.rise * face[1]), cv2.GC_PR_FGD)
    draw(below_chin(prior.shoulders), cv2.GC_PR_FGD)
    y, x = np.mgrid[:height, :width]
    radius = ((x - centre[0]) / face[0]) ** 2 + ((y - centre[1]) / face[1] + 0.1) ** 2
    rim = np.minimum(np.minimum(x, width - 1 - x), y) < max(2, height // 64)
    labels[(radius > _NEAR**2) & rim & (y < chin[1])] = cv2.GC_BGD
    if prior.far is not None:
        labels[(radius > prior.far**2) & (y < chin[1] - 0.2 * face[1])] = cv2.GC_BGD
    draw(centre + (outline - centre) * _SURE_FACE, cv2.GC_FGD)
    for sure in filter(None, (_NECK, prior.chest)):
        draw(below_chin(sure), cv2.GC_FGD)
    return labels
