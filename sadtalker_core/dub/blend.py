"""The lower part of a face laid into its frame, so that all around it stays as it is."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..face.regions import FACE_OVAL
from ..flow import Crop
from ..pictures.ramps import smoothstep

LOWER_FACE = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 327, 2, 98)
"""Its outline: from the picture's left earlobe along the jaw to the right one, and back below the nose."""
_MARGIN, _FADE = 0.04, 0.07
"""How far beyond that outline the new picture is seen fully, and over which it fades from there, face widths."""


def lower_face_mask(points: Tensor, crop: Crop) -> Tensor:
    """How much of the new picture is seen, (h, w) from 0 to 1, in frames of ``crop``.

    Args:
        points: (N, 478, 3) the face in the same frame, as it was and as it is drawn, pixels of the crop.
    """
    outline = points[:, list(LOWER_FACE), :2].flatten(0, 1).cpu().numpy()
    width = float(np.ptp(points[0, list(FACE_OVAL), 0].cpu().numpy()))
    inside = np.zeros((crop.height, crop.width), np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
    distance = torch.from_numpy(cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5))
    return smoothstep((1 - (distance / width - _MARGIN) / _FADE).clamp(0, 1)) * _inside_border(crop)


def lay_over(picture: Tensor, crop: Crop, frame: Tensor, mask: Tensor) -> Tensor:
    """Picture (3, H, W) with a frame (3, h, w) of ``crop``, of the same scale, seen as a mask (h, w) says.

    Where the mask is 0, the picture stays what it was, bit for bit.
    """
    result = picture.clone()
    part = result[:, crop.top : crop.bottom, crop.left : crop.right]
    mask = mask.to(part)
    part.copy_(torch.where(mask > 0, torch.lerp(part, frame.to(part), mask), part))
    return result


def even_box(crop: Crop) -> Crop:
    """The crop at even places and of even length, at the picture's own scale.

    Nothing is resampled, and what is computed for every second pixel lies at the same ones in all frames.
    """
    left, top = crop.left - crop.left % 2, crop.top - crop.top % 2
    width, height = (crop.right - left) // 2 * 2, (crop.bottom - top) // 2 * 2
    return Crop(left, top, left + width, top + height, width, height)


def _inside_border(crop: Crop) -> Tensor:
    """(h, w) 0 at the crop's outermost pixels, 1 from some pixels on inside."""
    edge = F.pad(torch.zeros(crop.height, crop.width)[None, None], (1, 1, 1, 1), value=1.0)[0, 0]
    distance = cv2.distanceTransform((1 - edge).numpy().astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1]
    return ((torch.from_numpy(distance) - 1) / 8).clamp(0, 1)
