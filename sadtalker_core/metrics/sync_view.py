"""A picture -> what SyncNet sees of it: the face with its resources, and much of what is below the chin.

Crop of the software that comes with SyncNet and that LSE is measured by. There the face is the box of a detector; here
it is that of the mesh's 478 points, from the hairline to the chin.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.signal import medfilt
from torch import Tensor

from .networks.syncnet import FRAME_SIZE

_REACH = 0.4
"""Added to the left, to the right and twice below, as a fraction of half the face."""
_SMOOTHING = 13
"""Frames of the median filter that steadies the crop."""
_OUTSIDE = 110
"""Grey level beyond the picture's borders."""


def sync_boxes(points: Tensor) -> Tensor:
    """Centre and half size (T, 3) of the faces with landmarks (T, 478, 3), steadied over time; pixels.

    Where no face was found (NaN) it is taken to move evenly between its neighbours; at least one must be found.
    """
    seen = ~points.isnan().any(-1).any(-1)
    low, high = points[seen, :, :2].amin(1), points[seen, :, :2].amax(1)
    found = torch.cat(((low + high) / 2, (high - low).amax(1, keepdim=True) / 2), 1).double().cpu().numpy()
    times = seen.nonzero()[:, 0].cpu().numpy()
    everywhere = [np.interp(np.arange(len(points)), times, column) for column in found.T]
    margin = _SMOOTHING // 2  # the filter takes what lies beyond both ends for 0
    steady = [medfilt(np.pad(column, margin, "edge"), _SMOOTHING)[margin:-margin] for column in everywhere]
    return torch.from_numpy(np.stack(steady, 1))


def cut_sync_view(picture: Tensor, box: Tensor) -> Tensor:
    """SyncNet's view (3, 224, 224) uint8 of a picture (3, H, W) in [0, 1] whose face has the box (3,)."""
    x, y, half = box.tolist()
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    margin = int(half * (1 + 2 * _REACH))
    wide = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), constant_values=_OUTSIDE)
    top, bottom = int(y + margin - half), int(y + margin + half * (1 + 2 * _REACH))
    left, right = (int(x + margin + side * half * (1 + _REACH)) for side in (-1, 1))
    view = cv2.resize(wide[top:bottom, left:right], (FRAME_SIZE, FRAME_SIZE))
    return torch.from_numpy(view).permute(2, 0, 1).contiguous()
