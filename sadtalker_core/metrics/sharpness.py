"""CPBD: how sharp do the edges of a picture look? The fraction of them at which nobody would notice any blur.

Narvekar and Karam, "A no-reference image blur metric based on the cumulative probability of blur detection (CPBD)",
2011. Blur is detected at an edge of width w with the probability 1 - exp(-(w / w_JNB)^3.6), and counts as just
noticeable at 63 %. That is where w = w_JNB: an edge is sharp if it is not wider than the width of a just noticeable
blur, and the exponent drops out.

Where the paper leaves a choice (threshold and thinning of edges, shortest edge), this follows the software that
published figures come from, so that they can be compared: Narvekar and Karam, "CPBD Sharpness Metric Software", and
its port to Python, package ``cpbd``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

BLOCK = 64
"""Side of the blocks that are looked at on their own, pixels."""
EDGE_SHARE = 0.002
"""A block counts if more of its pixels lie on edges."""
JUST_NOTICEABLE = ((50.0, 5), (256.0, 3))
"""Width of a just noticeable blur, pixels, of blocks whose contrast is at most so many of 255 grey levels."""
_CANNY = 0.1, 0.2
"""Canny's thresholds, grey levels in Sobel's unit (an eighth of a level a pixel)."""
_FINENESS = 32
"""Integer steps of a slope; the steepest of a picture, 1020, still fits 16 bits."""
_GREY = (0.299, 0.587, 0.114)
Picture = NDArray[np.float64]
Mask = NDArray[np.bool_]


def cpbd(picture: Picture) -> float:
    """Sharpness of a grey picture (H, W) in [0, 255], from 0 to 1; 0 also where no edge was found."""
    widths = _edge_widths(picture)
    contours = _contours(picture)
    rows, columns = (length // BLOCK for length in picture.shape)
    sharp = total = 0
    for row in range(rows):
        for column in range(columns):
            block = np.s_[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
            if contours[block].mean() <= EDGE_SHARE:
                continue
            contrast = picture[block].max() - picture[block].min()
            noticeable = next(width for limit, width in JUST_NOTICEABLE if contrast <= limit)
            found = widths[block][widths[block] > 0]
            sharp += int((found <= noticeable).sum())
            total += found.size
    return sharp / total if total else 0.0


def _edge_widths(picture: Picture) -> NDArray[np.int64]:
    """(H, W): the width of the edge that runs through a pixel, along its row, or 0.

    An edge reaches from the nearest darkest to the nearest brightest pixel (Marziliano et al., "A no-reference
    perceptual blur metric", 2002), and at least to both neighbours.
    """
    along, across = np.gradient(picture)
    angle = np.rint(np.degrees(np.arctan2(along, across)) / 45) * 45
    angle[across == 0] = 0  # thin lines, whose sides cancel out
    step = np.diff(picture, axis=1)
    rising, falling = (_run_before(up)[:, :-2] + _run_after(up)[:, 2:] + 2 for up in (step > 0, step < 0))
    widths = np.zeros(picture.shape, dtype=np.int64)
    inner = np.select([angle[:, 1:-1] == 0, np.abs(angle[:, 1:-1]) == 180], [rising, falling])
    widths[1:-1, 1:-1] = np.where(_edges(picture)[1:-1, 1:-1], inner[1:-1], 0)
    return widths


def _run_before(steps: Mask) -> NDArray[np.int64]:
    """(H, W) of steps (H, W - 1) between neighbours: how many in a row lead up to each pixel."""
    height, count = steps.shape
    position = np.arange(count + 1)
    broken = np.zeros((height, count + 1), dtype=np.int64)
    broken[:, 1:] = np.where(steps, 0, position[1:])
    return position - np.maximum.accumulate(broken, axis=1)


def _run_after(steps: Mask) -> NDArray[np.int64]:
    return _run_before(steps[:, ::-1])[:, ::-1]


def _edges(picture: Picture) -> Mask:
    """Where the picture changes most from left to right: ridges of Sobel's filter, one pixel wide."""
    strength = (cv2.Sobel(picture, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REFLECT) / 8) ** 2
    padded = np.pad(strength, 1)
    sideways = (strength > padded[1:-1, :-2]) & (strength > padded[1:-1, 2:])
    upwards = (strength > padded[:-2, 1:-1]) & (strength > padded[2:, 1:-1])
    # The square is held against what is no square: so does the software in use, and figures are to be compared.
    return (sideways | upwards) & (strength > 2 * np.sqrt(strength.mean()))


def _contours(picture: Picture) -> Mask:
    """Canny's contours, down to the faintest: a block without any is flat."""
    smooth = gaussian_filter(picture, 1.0)
    slopes = cv2.Sobel(smooth, cv2.CV_64F, 1, 0), cv2.Sobel(smooth, cv2.CV_64F, 0, 1)
    dx, dy = ((slope * _FINENESS).round().astype(np.int16) for slope in slopes)  # all that OpenCV takes
    low, high = (threshold * _FINENESS for threshold in _CANNY)
    return cv2.Canny(dx, dy, low, high, L2gradient=True) > 0


def grey(frames: Tensor) -> Picture:
    """Luma (T, H, W) in [0, 255], rounded as 8 bits store it, of RGB frames (T, 3, H, W) uint8."""
    pixels: Any = frames.permute(0, 2, 3, 1).cpu().numpy()
    return (pixels @ np.array(_GREY)).round()


class Sharpness:
    """CPBD of the clip: mean over its frames."""

    figures: Sequence[Figure] = (Figure("cpbd", "CPBD", "higher"),)

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if not len(clip):
            raise NotMeasuredError("frames")
        return {"cpbd": float(np.mean([cpbd(grey(frame[None])[0]) for frame in clip.frames]))}
