"""Rendered frames -> the picture they were cut from, blended so that no edge shows.

Inside a box of the picture, the colours follow the frame's differences between neighbouring pixels and, along the
border, the picture's own: Pérez, Gangnet and Blake, "Poisson image editing", 2003. Details (8 bits, the width of the
border, rounding down) are those of OpenCV's ``seamlessClone``, which the original uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_shape
from ..flow import Progress, SourceFace, no_progress
from .resize import resize_levels

_TRIM = 1
"""Outermost pixels of a frame that are dropped."""
_BAND = 3
"""Pixels inside the remaining edge that follow the picture's differences instead of the frame's."""
_SMALLEST_SIDE = 2 * (_TRIM + _BAND) + 1
_WORKING_MEMORY = 2**26
"""Bytes that a batch of frames may take besides its result; more is slower on a processor."""
_FLOATS_PER_PIXEL = 24
"""Working memory of one frame: eight copies of its colours."""


@dataclass(frozen=True, slots=True)
class PasteTarget:
    """What pasting needs to know of the picture; the same for every frame."""

    left: int
    top: int
    levels: Tensor
    """(3, h, w) grey levels 0..255 of the region that the frames replace, which begins at (left, top)"""
    sines_down: Tensor
    """(h - 2, h - 2) sine transform along columns, inside the region's edge"""
    sines_across: Tensor
    """(w - 2, w - 2) along rows"""
    inverse: Tensor
    """(h - 2, w - 2) what the transformed divergence is multiplied by to become the transformed solution"""


def paste_back(face: SourceFace, frames: Tensor, *, on_progress: Progress = no_progress) -> tuple[Tensor, Tensor]:
    """Lay frames (T, 3, h, w) in [0, 1] over ``face.crop`` of the picture.

    Works on the device of the frames. A box with a side below 9 pixels is all border: the picture stays as it is.

    Returns:
        Pictures (T, 3, H, W) in [0, 1], and a mask (H, W): 1 where they may differ from the portrait, else 0.
    """
    count = check_shape("frames", frames, "T 3 h w")["T"]
    height, width = face.picture.shape[1:]
    # Colours last in memory, as pictures are shown and encoded.
    pictures = torch.empty((count, 3, height, width), device=frames.device, memory_format=torch.channels_last)
    pictures[:] = face.picture.to(frames.device)
    mask = torch.zeros((height, width), device=frames.device)
    crop = face.crop
    if min(crop.right - crop.left, crop.bottom - crop.top) < _SMALLEST_SIDE:
        return pictures, mask
    target = paste_target(face, frames.device)
    edge = _TRIM + 1  # the region's outermost pixels are the picture's
    rows, columns = slice(crop.top + edge, crop.bottom - edge), slice(crop.left + edge, crop.right - edge)
    mask[rows, columns] = 1
    done = 0
    for batch in frames.split(_batch_size(target)):
        pictures[done : done + len(batch), :, rows, columns] = blend(target, batch)
        done += len(batch)
        on_progress(done, count)
    return pictures, mask


def paste_target(face: SourceFace, device: torch.device) -> PasteTarget:
    """Prepare pasting into the picture of ``face``, whose box must be 9 x 9 pixels at least."""
    crop = face.crop
    left, top = crop.left + _TRIM, crop.top + _TRIM
    region = face.picture[:, top : crop.bottom - _TRIM, left : crop.right - _TRIM]
    height, width = (length - 2 for length in region.shape[1:])
    down, across = _second_difference(height), _second_difference(width)
    inverse = 4 / ((height + 1) * (width + 1) * (down[:, None] + across))
    return PasteTarget(
        left, top, _levels(region.to(device)), _sines(height).to(device), _sines(width).to(device),
        inverse.float().to(device),
    )  # fmt: skip


def blend(target: PasteTarget, frames: Tensor) -> Tensor:
    """Colours (B, 3, h - 2, w - 2) in [0, 1] inside the edge of the target's region, for frames (B, 3, any, any)."""
    height, width = target.levels.shape[1:]
    levels = resize_levels(_levels(frames).int(), height + 2 * _TRIM, width + 2 * _TRIM).float()
    # What the frame changes of the picture is zero along the edge, so that its sine transform solves for it exactly.
    change = levels[..., _TRIM:-_TRIM, _TRIM:-_TRIM] - target.levels
    across, down = (_inside_band(change.diff(dim=dim), height, width) for dim in (3, 2))
    divergence = across.diff(dim=3)[..., 1:-1, :] + down.diff(dim=2)[..., 1:-1]
    transformed = target.sines_down @ divergence @ target.sines_across
    solution = target.sines_down @ (transformed * target.inverse) @ target.sines_across
    return (target.levels[:, 1:-1, 1:-1] + solution).clamp_(0, 255).floor_() / 255


def _inside_band(differences: Tensor, height: int, width: int) -> Tensor:
    """``differences`` with zeros in the band along the edge of a region of height x width pixels."""
    inside = torch.zeros_like(differences)
    part = (..., slice(_BAND, height - _BAND), slice(_BAND, width - _BAND))
    inside[part] = differences[part]
    return inside


def _sines(length: int) -> Tensor:
    """The sine transform (DST-I) of so many numbers as a symmetric matrix; its square is (length + 1) / 2."""
    steps = torch.arange(1, length + 1, dtype=torch.float64)
    return torch.sin(torch.pi / (length + 1) * steps[:, None] * steps).float()


def _second_difference(length: int) -> Tensor:
    """What taking second differences multiplies each sine of the transform by; float64."""
    return 2 * torch.cos(torch.pi / (length + 1) * torch.arange(1, length + 1, dtype=torch.float64)) - 2


def _levels(colours: Tensor) -> Tensor:
    """Grey levels 0..255, whole numbers in float32."""
    return (colours.float() * 255).round().clamp(0, 255)


def _batch_size(target: PasteTarget) -> int:
    pixels = target.levels[0].numel()
    return max(1, _WORKING_MEMORY // (pixels * _FLOATS_PER_PIXEL * 4))
