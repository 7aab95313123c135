"""Rendered frames get the fine detail of the picture they were rendered from.

A renderer of 256 pixels cannot draw what the picture has beyond them, but its motion field says where in the picture
each pixel comes from. What the picture has more than the renderer's reading of it, its highest frequencies, is moved
along and added to the enlarged frames; not where something was drawn that the picture does not show.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...face.crop import even_length
from ...face.framing import MAX_OWN_SIZE
from ...flow import Keypoints, SourceFace
from ...progress import Progress, no_progress
from ...render.frames import frames_at_once
from ...render.protocols import Renderer
from ..place.follow import measured_motion

_WINDOW = 7
"""Pixels of the renderer's frames a side in which frame and moved portrait are compared."""
_CONTRAST = 0.015
"""Standard deviation below which a window counts as flat, where nothing can disagree."""
_LIKENESS = (0.5, 0.9)
"""Structural likeness of the two from which detail is added (not at all, fully)."""
_BRIGHTNESS = 0.08
"""Difference of their means at which detail counts for 0.6."""
_BYTES_PER_PIXEL = 120
"""Working memory for one pixel of a finished frame."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What a picture has beyond what the renderer reads of it."""

    band: Tensor
    """(3, H, W) its high frequencies, in the size of the finished frames"""
    portrait: Tensor
    """(3, S, S') the part of the picture as the renderer reads it"""


def picture_detail(face: SourceFace) -> Detail:
    """High frequencies of the part of the picture that is rendered, at the picture's own size, both sides even."""
    crop = face.crop
    part = face.picture[None, :, crop.top : crop.bottom, crop.left : crop.right]
    height, width = detailed_size(face)
    whole = _resized(part, height, width)
    low = _resized(face.cropped[None], height, width)
    return Detail((whole - low)[0], face.cropped)


def detailed_size(face: SourceFace) -> tuple[int, int]:
    """Height and width of frames with detail: the pixels of the rendered part of the picture, but no fewer than now."""
    crop = face.crop
    height, width = crop.bottom - crop.top, crop.right - crop.left
    scale = max(min(1.0, MAX_OWN_SIZE / max(height, width)), crop.height / height, crop.width / width)
    return even_length(height * scale), even_length(width * scale)


@torch.inference_mode()
def transfer_detail(
    renderer: Renderer,
    face: SourceFace,
    keypoints: Keypoints,
    frames: Tensor,
    *,
    strength: float = 1.0,
    batch_size: int | None = None,
    on_progress: Progress = no_progress,
) -> Tensor:
    """Frames (T, 3, h, w), rendered from ``face`` and ``keypoints``, at the picture's own size with its detail.

    Computed on the device of the face and the keypoints, a few frames at a time; frames may lie elsewhere.

    Args:
        frames: (T, 3, any, any) in [0, 1], showing all of the crop.
        strength: of the detail: 0 only enlarges, 1 is what the picture has.
        batch_size: frames at a time; None as many as fit in a gigabyte.

    Returns:
        (T, 3, H, W) in [0, 1], on the CPU; see ``detailed_size``.

    Raises:
        SadTalkerError: frames and keypoints are not as many.
    """
    check_shape("frames", frames, "T 3 h w")
    if len(frames) != len(keypoints):
        raise SadTalkerError(
            f"Expected a frame for each of the {len(keypoints)} sets of keypoints, got {len(frames)} frames. Connect "
            "the keypoints that Face Render drew these frames from."
        )
    detail, source = picture_detail(face), renderer.prepare(face, keypoints.source)
    height, width = detail.band.shape[1:]
    limit = max(1, 2**30 // (height * width * _BYTES_PER_PIXEL))
    count = batch_size or min(frames_at_once(renderer, face.cropped[0].numel()), limit)
    finished = torch.empty((len(frames), 3, height, width), memory_format=torch.channels_last)
    for start in range(0, len(frames), count):
        driving = keypoints.driving[start : start + count]
        batch = frames[start : start + count].to(detail.band)
        positions, trust = renderer.source_positions(source, driving)
        added = moved_detail(detail, batch, positions, trust)
        finished[start : start + count] = _resized(batch, height, width).add_(strength * added).clamp_(0, 1).cpu()
        on_progress(start + len(batch), len(frames))
    return finished


def moved_detail(detail: Detail, frames: Tensor, positions: Tensor, trust: Tensor) -> Tensor:
    """What to add to frames (B, 3, any, any): (B, 3, H, W) in the size of the detail.

    Args:
        positions: (B, 2, h, w) of the frames' pixels in the portrait, see ``pack.Renderer.source_positions``.
        trust: (B, 1, h, w)
    """
    rows, columns = detail.portrait.shape[1:]
    fitted = _resized(frames, rows, columns)
    sides = positions.new_tensor((columns, rows))[:, None, None]
    shift = _resized(positions * (2 / sides) - 1 - _still(positions), rows, columns, mode="bilinear")
    shift = _corrected(shift, detail.portrait, fitted)
    weight = _resized(trust, rows, columns).clamp(0, 1) * likeness(fitted, _moved(detail.portrait, shift))
    height, width = detail.band.shape[1:]
    # The shift is enlarged, not the position, so that what rests does so up to the edge.
    band = _moved(detail.band, _resized(shift, height, width, mode="bilinear"), mode="bicubic")
    return band * F.interpolate(weight, (height, width), mode="bilinear", align_corners=False)


def likeness(first: Tensor, second: Tensor) -> Tensor:
    """(B, 1, h, w) from 0 to 1: how far pictures (B, 3, h, w) show the same structure and brightness, place by place.

    Contrast and structure of SSIM (Wang and others, "Image quality assessment", 2004), and the distance of the means.
    """
    first, second = first.mean(1, keepdim=True), second.mean(1, keepdim=True)
    both = torch.cat((first, second, first * first, second * second, first * second), 1)
    padded = F.pad(both, (_WINDOW // 2,) * 4, mode="replicate")
    a, b, aa, bb, ab = F.avg_pool2d(padded, _WINDOW, 1).split(1, 1)
    structure = (2 * (ab - a * b) + _CONTRAST**2) / ((aa - a * a) + (bb - b * b) + _CONTRAST**2)
    low, high = _LIKENESS
    alike = ((structure - low) / (high - low)).clamp(0, 1)
    return alike * torch.exp(-0.5 * ((a - b) / _BRIGHTNESS) ** 2)


def _corrected(shift: Tensor, portrait: Tensor, frames: Tensor) -> Tensor:
    """A shift (B, 2, h, w) of the portrait (3, h, w), less its error as the frames (B, 3, h, w) show it.

    A network draws what it believes, not what its motion field says, and half a pixel of its frame may be several of
    the picture.
    """
    moved = _moved(portrait, shift)
    pairs = zip(moved, frames, strict=True)
    error = 2 * torch.cat([measured_motion(place, frame[None]) for place, frame in pairs])
    error = _resized(error, *shift.shape[2:], mode="bilinear")
    grid = (error + _still(error)).permute(0, 2, 3, 1)
    return error + F.grid_sample(shift, grid, padding_mode="border", align_corners=False)


def _still(like: Tensor) -> Tensor:
    """(2, h, w) where the pixels of a map (B, 2, h, w) lie, [-1, 1]."""
    y, x = ((torch.arange(size).to(like) + 0.5) * (2 / size) - 1 for size in like.shape[2:])
    return torch.stack(torch.broadcast_tensors(x, y[:, None]))


def _moved(picture: Tensor, shift: Tensor, mode: str = "bilinear") -> Tensor:
    """A picture (C, h, w) in each of the frames that a shift (B, 2, h, w), in units of [-1, 1], makes of it."""
    grid = (shift + _still(shift)).permute(0, 2, 3, 1)
    pictures = picture[None].expand(len(grid), -1, -1, -1)
    return F.grid_sample(pictures, grid, mode=mode, padding_mode="border", align_corners=False)


def _resized(pictures: Tensor, height: int, width: int, mode: str = "bicubic") -> Tensor:
    """The same in another size, without aliasing; unchanged where it fits. Always a copy."""
    if pictures.shape[2:] == (height, width):
        return pictures.clone()
    return F.interpolate(pictures, (height, width), mode=mode, antialias=True, align_corners=False)
