"""Rendered frames -> the picture they were cut from, blended so that no edge shows.

Inside a box of the picture, the colours follow the frame's differences between neighbouring pixels and, along the
border, the picture's own: Pérez, Gangnet and Blake, "Poisson image editing", 2003. Details (8 bits, the width of the
border, rounding down) are those of OpenCV's ``seamlessClone``, which the original uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...flow import Crop, SourceFace
from ...pictures.resize import resize_levels
from ...progress import Progress, no_progress
from .follow import MovingMargin, follow, measured_motion, moving_margin

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
    """What pasting needs to know of the box; the same for every frame."""

    rows: slice
    columns: slice
    """part of the picture: the region of h x w pixels whose inside the frames replace"""
    sines_down: Tensor
    """(h - 2, h - 2) sine transform along columns, inside the region's edge"""
    sines_across: Tensor
    """(w - 2, w - 2) along rows"""
    inverse: Tensor
    """(h - 2, w - 2) what the transformed divergence is multiplied by to become the transformed solution"""


def paste_back(
    face: SourceFace,
    frames: Tensor,
    *,
    background: Tensor | None = None,
    mask: Tensor | None = None,
    moves_surroundings: bool = False,
    on_progress: Progress = no_progress,
) -> tuple[Tensor, Tensor]:
    """Lay frames (T, 3, h, w) in [0, 1] over ``face.crop`` of the picture.

    Works on the device of the frames. A box with a side below 9 pixels is all border: the picture stays as it is. Where
    frames, background and mask have different lengths, the shorter ones hold their last.

    Args:
        background: (N, 3, H, W) in [0, 1] in place of the picture, such as it already is with another face in it.
        mask: (M, H, W) in [0, 1]: how much of the pasted picture is seen. Everything by default.
        moves_surroundings: whether what surrounds the box follows the motion in it (see ``follow``). The original
            leaves it where it is.

    Returns:
        Pictures (max(T, N, M), 3, H, W) in [0, 1]; mask (H, W) above 0 where they may differ from the background.

    Raises:
        ShapeError: background or mask have another size than the picture.
    """
    frame_count = check_shape("frames", frames, "T 3 h w")["T"]
    height, width = face.picture.shape[1:]
    background = (face.picture[None] if background is None else background).to(frames.device)
    count = max(frame_count, check_shape("background", background, f"N 3 {height} {width}")["N"]) if frame_count else 0
    if mask is not None:
        mask = mask.to(frames.device)
        count = max(count, check_shape("mask", mask, f"M {height} {width}")["M"]) if frame_count else 0
    # Colours last in memory, as pictures are shown and encoded.
    pictures = torch.empty((count, 3, height, width), device=frames.device, memory_format=torch.channels_last)
    crop = face.crop
    around = moving_margin(crop, width, height, frames.device) if moves_surroundings else None
    if min(crop.right - crop.left, crop.bottom - crop.top) < _SMALLEST_SIDE:
        pictures[:] = _held(background, 0, count)
        return pictures, torch.zeros((height, width), device=frames.device)
    target = paste_target(crop, frames.device)
    size = _batch_size(target, around)
    for start in range(0, count, size):
        stop = min(start + size, count)
        batch, before = _held(frames, start, stop), _held(background, start, stop)
        pasted = pictures[start:stop]
        pasted[:] = before
        if around is not None:
            motion = measured_motion(face.cropped.to(frames.device), batch)
            pasted[..., around.rows, around.columns] = follow(pasted, around, crop, motion)
        region = _levels(pasted[..., target.rows, target.columns])
        pasted[..., target.rows, target.columns][..., 1:-1, 1:-1] = blend(target, region, batch)
        if mask is not None:
            pasted[:] = torch.lerp(before, pasted, _held(mask, start, stop)[:, None])
        on_progress(stop, count)
    return pictures, _changed(target, around, mask, pictures)


def show_through(
    face: SourceFace, frames: Tensor, mask: Tensor, background: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Frames (T, 3, h, w) that show the whole picture, seen only where a mask (M, H, W) says so; as ``paste_back``.

    Background and mask take the frames' size, which may be a reduced one.
    """
    size = frames.shape[2:]
    background = (face.picture[None] if background is None else background).to(frames)
    background = F.interpolate(background, size, mode="bilinear", antialias=True, align_corners=False)
    mask = F.interpolate(mask[:, None].to(frames), size, mode="bilinear", antialias=True, align_corners=False)
    count = max(map(len, (frames, background, mask))) if len(frames) else 0
    pictures = frames.new_empty(count, 3, *size).contiguous(memory_format=torch.channels_last)
    for index in range(count):
        before, after, alpha = (_held(each, index, index + 1)[0] for each in (background, frames, mask))
        pictures[index] = torch.lerp(before, after, alpha.expand_as(after))
    return pictures, mask.amax(0)[0]


def paste_target(crop: Crop, device: torch.device) -> PasteTarget:
    """Prepare pasting into the box of ``crop``, which must be 9 x 9 pixels at least."""
    rows = slice(crop.top + _TRIM, crop.bottom - _TRIM)
    columns = slice(crop.left + _TRIM, crop.right - _TRIM)
    height, width = (part.stop - part.start - 2 for part in (rows, columns))
    down, across = _second_difference(height), _second_difference(width)
    inverse = 4 / ((height + 1) * (width + 1) * (down[:, None] + across))
    return PasteTarget(rows, columns, _sines(height).to(device), _sines(width).to(device), inverse.float().to(device))


def blend(target: PasteTarget, levels: Tensor, frames: Tensor) -> Tensor:
    """Colours (B, 3, h - 2, w - 2) in [0, 1] inside the edge of the target's region.

    Args:
        levels: (1 or B, 3, h, w) grey levels 0..255 of the region as it was.
        frames: (B, 3, any, any) in [0, 1].
    """
    height, width = levels.shape[2:]
    new = resize_levels(_levels(frames).int(), height + 2 * _TRIM, width + 2 * _TRIM).float()
    # What the frame changes of the picture is zero along the edge, so that its sine transform solves for it exactly.
    change = new[..., _TRIM:-_TRIM, _TRIM:-_TRIM] - levels
    across, down = (_without_band_(change.diff(dim=dim), height, width) for dim in (3, 2))
    divergence = across.diff(dim=3)[..., 1:-1, :] + down.diff(dim=2)[..., 1:-1]
    transformed = target.sines_down @ divergence @ target.sines_across
    solution = target.sines_down @ (transformed * target.inverse) @ target.sines_across
    return (levels[..., 1:-1, 1:-1] + solution).clamp_(0, 255).floor_().div_(255)


def _held(pictures: Tensor, start: int, stop: int) -> Tensor:
    """Pictures start..stop of a clip, whose last one stays when it has ended; one picture alone is not repeated."""
    if len(pictures) == 1:
        return pictures
    if stop <= len(pictures):
        return pictures[start:stop]
    return pictures[torch.arange(start, stop, device=pictures.device).clamp_max(len(pictures) - 1)]


def _changed(target: PasteTarget, around: MovingMargin | None, mask: Tensor | None, pictures: Tensor) -> Tensor:
    """(H, W) 1 where the pictures may differ from the background, less as far as the mask or the distance says."""
    changed = pictures.new_zeros(pictures.shape[2:])
    if around is not None:
        changed[around.rows, around.columns] = around.full_weight()
    changed[target.rows, target.columns][1:-1, 1:-1] = 1
    return changed if mask is None else changed * mask.amax(0)


def _without_band_(differences: Tensor, height: int, width: int) -> Tensor:
    """``differences``, in place, with zeros in the band along the edge of a region of height x width pixels."""
    for part in (slice(_BAND), slice(height - _BAND, None)):
        differences[..., part, :] = 0
    for part in (slice(_BAND), slice(width - _BAND, None)):
        differences[..., part] = 0
    return differences


def _sines(length: int) -> Tensor:
    """The sine transform (DST-I) of so many numbers as a symmetric matrix; its square is (length + 1) / 2."""
    steps = torch.arange(1, length + 1, dtype=torch.float64)
    return torch.sin(torch.pi / (length + 1) * steps[:, None] * steps).float()


def _second_difference(length: int) -> Tensor:
    """What taking second differences multiplies each sine of the transform by; float64."""
    return 2 * torch.cos(torch.pi / (length + 1) * torch.arange(1, length + 1, dtype=torch.float64)) - 2


def _levels(colours: Tensor) -> Tensor:
    """Grey levels 0..255, whole numbers in float32."""
    return (colours.float() * 255).round_().clamp_(0, 255)


def _batch_size(target: PasteTarget, around: MovingMargin | None) -> int:
    pixels = (target.rows.stop - target.rows.start) * (target.columns.stop - target.columns.start)
    if around is not None:
        pixels = max(pixels, around.pixels // 2)
    return max(1, _WORKING_MEMORY // (pixels * _FLOATS_PER_PIXEL * 4))
