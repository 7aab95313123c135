"""The face of every frame, upright and always in the same place: where restoration networks expect it.

Aligned pixels are those of a square of 512; a similarity takes them to the frame's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import FaceNotFoundError
from ...face.regions import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from ...face.tracking import LandmarkTrack
from .restorer import FACE_SIDE

TEMPLATE = ((192.98, 239.95), (318.90, 240.19), (256.63, 314.02), (201.26, 371.41), (313.09, 371.15))
"""Eyes, tip of the nose and corners of the mouth in aligned pixels: where the published networks were trained to have
them, which are the means of the FFHQ faces."""
_NOSE, _MOUTH_CORNERS = 4, (61, 291)
_CALM_FRAMES = 2.0
"""Standard deviation of the smoothing over time, frames: landmarks tremble, and the crop must not."""
_FADE_FRAMES = 6
"""A frame so far from the next one with a face is not restored; nearer ones are, in part."""
_MASK_GROWTH = 1.08
"""So that the edge of chin and cheeks lies inside."""
_MASK_SIDE = 128
_MASK_SOFTNESS = 5.0
"""Standard deviation of the mask's edge, pixels of its ``_MASK_SIDE``."""


@dataclass(frozen=True, slots=True)
class AlignedFaces:
    """Where the face is in each frame, smoothed over time."""

    matrices: Tensor
    """(T, 2, 3) from aligned pixels (x, y, 1) to pixels of the frames"""
    outlines: Tensor
    """(T, 36, 2) of the face, aligned pixels"""
    shares: Tensor
    """(T,) 1 where the frame shows the face, less the further the nearest frame is that does"""

    def __post_init__(self) -> None:
        count = check_shape("AlignedFaces.matrices", self.matrices, "T 2 3")["T"]
        check_shape("AlignedFaces.outlines", self.outlines, f"{count} {len(FACE_OVAL)} 2")
        check_shape("AlignedFaces.shares", self.shares, f"{count}")

    def __len__(self) -> int:
        return self.matrices.shape[0]


def align_faces(track: LandmarkTrack) -> AlignedFaces:
    """Alignment of a tracked face, on the CPU; short gaps in the track are bridged.

    Raises:
        FaceNotFoundError: no frame shows a face.
    """
    found = track.presence > 0
    if not found.any():
        raise FaceNotFoundError(
            f"None of the {len(track)} frames shows a face that could be restored. Connect frames in which it is at "
            "least some 30 pixels wide and seen from the front, or disconnect the restorer."
        )
    eyes = [track.points[:, ring, :2].mean(1, keepdim=True) for ring in (LEFT_EYE, RIGHT_EYE)]
    others = track.points[:, (_NOSE, *_MOUTH_CORNERS, *FACE_OVAL), :2]
    points, distance = _bridged(torch.cat((*eyes, others), 1).double(), found)
    points = torch.from_numpy(gaussian_filter1d(points.numpy(), _CALM_FRAMES, axis=0, mode="nearest"))
    scale, shift = _similarity(torch.tensor(TEMPLATE, dtype=torch.float64), points[:, : len(TEMPLATE)])
    outlines = (torch.view_as_complex(points[:, len(TEMPLATE) :].contiguous()) - shift) / scale
    a, b = scale[:, 0].real, scale[:, 0].imag
    rows = (torch.stack((a, -b, shift[:, 0].real), 1), torch.stack((b, a, shift[:, 0].imag), 1))
    shares = (1 - distance / _FADE_FRAMES).clamp(0, 1)
    return AlignedFaces(torch.stack(rows, 1).float(), torch.view_as_real(outlines).float(), shares.float())


def cut_faces(frames: Tensor, matrices: Tensor) -> Tensor:
    """Aligned faces (B, 3, 512, 512) of frames (B, 3, H, W); beyond the frame its edge is repeated.

    Args:
        matrices: (B, 2, 3) from aligned pixels to pixels of these frames.
    """
    height, width = frames.shape[2:]
    scale = float(_scales(matrices).mean())
    if scale > 1:  # sampling alone would skip pixels
        size = (max(1, round(height / scale)), max(1, round(width / scale)))
        frames = F.interpolate(frames, size, mode="bilinear", antialias=True, align_corners=False)
    places = _pixels(FACE_SIDE, FACE_SIDE, matrices) @ matrices.transpose(1, 2)
    grid = places.unflatten(1, (FACE_SIDE, FACE_SIDE)) * (2 / places.new_tensor((width, height))) - 1
    return F.grid_sample(frames, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp_(0, 1)


def add_to_face(frame: Tensor, change: Tensor, matrix: Tensor) -> None:
    """Add an aligned change (3, 512, 512) to the face in ``frame`` (3, H, W), in place; computed where the change is.

    Args:
        matrix: (2, 3) from aligned pixels to pixels of this frame.
    """
    height, width = frame.shape[1:]
    corners = matrix.new_tensor(((0, 0, 1), (FACE_SIDE, 0, 1), (0, FACE_SIDE, 1), (FACE_SIDE, FACE_SIDE, 1)))
    corners = corners @ matrix.T
    left, top = (max(0, int(low)) for low in corners.amin(0))
    right, bottom = (min(limit, int(high) + 1) for high, limit in zip(corners.amax(0), (width, height), strict=True))
    if left >= right or top >= bottom:
        return
    scale = float(_scales(matrix[None]))
    change = change[None]
    if scale < 1:
        side = max(1, round(FACE_SIDE * scale))
        change = F.interpolate(change, (side, side), mode="bilinear", antialias=True, align_corners=False)
    rows, columns = bottom - top, right - left
    matrix = matrix.to(change)
    linear, shift = matrix[:, :2], matrix[:, 2]
    pixels = _pixels(rows, columns, matrix)[:, :2] + matrix.new_tensor((left, top))
    places = (pixels - shift) @ torch.linalg.inv(linear).T
    grid = (places * (2 / FACE_SIDE) - 1).unflatten(0, (rows, columns))[None]
    added = F.grid_sample(change, grid, mode="bicubic", padding_mode="zeros", align_corners=False)[0]
    part = frame[:, top:bottom, left:right]
    part.add_(added.to(part)).clamp_(0, 1)


def face_masks(outlines: Tensor) -> Tensor:
    """Soft masks (B, 1, 512, 512) of faces with these outlines (B, N, 2), aligned pixels: 1 inside, 0 outside."""
    middle = outlines.mean(1, keepdim=True)
    grown = torch.lerp(middle, outlines, _MASK_GROWTH)
    # OpenCV has pixel centres at whole numbers.
    corners = (grown.cpu() * (_MASK_SIDE / FACE_SIDE) - 0.5).round().int().numpy()
    masks = np.zeros((len(corners), _MASK_SIDE, _MASK_SIDE), np.float32)
    for mask, outline in zip(masks, corners, strict=True):
        cv2.fillPoly(mask, [outline], 1.0)
        cv2.GaussianBlur(mask, (0, 0), _MASK_SOFTNESS, dst=mask)
    # Nothing is left at the edge of the square, where the change ends.
    ramp = ((torch.arange(_MASK_SIDE) + 0.5 - _MASK_SIDE / 2).abs().neg() + _MASK_SIDE / 2 - 1) / (2 * _MASK_SOFTNESS)
    ramp = ramp.clamp(0, 1)
    # The blur's faint end is cut off, so that what lies around the face stays as it is.
    small = ((torch.from_numpy(masks) - 0.02) / 0.96).clamp(0, 1) * torch.minimum(ramp, ramp[:, None])
    small = small.to(outlines.device)[:, None]
    return F.interpolate(small, (FACE_SIDE, FACE_SIDE), mode="bilinear", align_corners=False)


def scaled_matrices(matrices: Tensor, across: float, down: float) -> Tensor:
    """The same alignment (T, 2, 3) for frames that were enlarged by these factors."""
    return matrices * matrices.new_tensor((across, down))[:, None]


def _bridged(points: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    """Points (T, N, 2) with those of missing frames between their neighbours', and the distance (T,) to the nearest."""
    frames, known = np.arange(len(points)), found.nonzero()[:, 0].numpy()
    flat = points[found].flatten(1).numpy()
    columns = [np.interp(frames, known, column) for column in flat.T]
    distance = np.abs(frames[:, None] - known).min(1)
    return torch.from_numpy(np.stack(columns, 1)).unflatten(1, points.shape[1:]), torch.from_numpy(distance)


def _similarity(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Complex factor and shift (T, 1) that take ``source`` (N, 2) closest to ``target`` (T, N, 2), least squares."""
    a, b = torch.view_as_complex(source)[None], torch.view_as_complex(target.contiguous())
    a_mean, b_mean = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    centred = a - a_mean
    factor = (centred.conj() * (b - b_mean)).sum(1, keepdim=True) / centred.abs().square().sum()
    return factor, b_mean - factor * a_mean


def _scales(matrices: Tensor) -> Tensor:
    """(B,) frame pixels per aligned pixel."""
    return torch.linalg.det(matrices[:, :, :2]).abs().sqrt()


def _pixels(rows: int, columns: int, like: Tensor) -> Tensor:
    """(rows * columns, 3) centres of pixels, (x, y, 1)."""
    y, x = (torch.arange(size).to(like) + 0.5 for size in (rows, columns))
    x, y = torch.broadcast_tensors(x, y[:, None])
    return torch.stack((x, y, torch.ones_like(x)), -1).flatten(0, 1)
