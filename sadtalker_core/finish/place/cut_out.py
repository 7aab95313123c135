"""Frames without background: the person in the portrait is found once, and the frames' motion carries the matte."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...face.person import BodyPrior, find_person, largest_part
from ...face.regions import FACE_OVAL
from ...flow import SourceFace
from ...progress import Progress, no_progress
from .follow import measured_motion

_WORKING_SIDE = 320
"""Longer side in pixels of the picture in which the person is looked for."""
_ROUNDS = 5
_EDGE = 0.03
"""Over which the matte's edge follows the picture's edges, in face widths."""
_SMOOTHNESS = 1e-4
"""Variance of the colours, [0, 1], below which an area counts as even."""
_CONTRAST = 1.25
"""So that the little doubt that the filter leaves within the person and outside is none."""
_SPREAD = 0.04
"""Over which the person's colours replace those of the background at the edge, in face widths."""
_SEEN = 8.0
"""Inverse of the alpha of the person from which on its colours are shown in full."""
_BATCH = 8
_BODY = BodyPrior(
    head=(1.75, 1.9),
    rise=0.2,
    shoulders=((0.5, -0.3), (0.9, 0.3), (1.6, 0.6), (1.9, 9.0)),
    chest=((0.25, 0.7), (0.6, 1.0), (0.8, 9.0)),
    far=1.9,
)
"""Wide, so that the colours of the background come from the picture's edge, and dark hair is not among them."""


@dataclass(frozen=True, slots=True)
class Matte:
    """Who is cut out, in the section of the picture that the frames show."""

    portrait: Tensor
    """(3, any, any) that section, as the renderer saw it"""
    person: Tensor
    """(1, h, w) of the frames' size: 1 the person, 0 the background"""
    spread: int
    """pixels of the frames over which colours spread at the edge"""


def cut_out(
    face: SourceFace,
    frames: Tensor,
    *,
    person: Tensor | None = None,
    background: Tensor | None = None,
    on_progress: Progress = no_progress,
) -> tuple[Tensor, Tensor]:
    """Take the background away from frames (T, 3, h, w) in [0, 1], or put another one there.

    Args:
        frames: as rendered, or pasted back, at any multiple of that size.
        person: (H, W) in [0, 1]: where the person is in ``face.picture``. Looked for by default.
        background: (N, 3, any, any) in [0, 1]: what to show behind, cut to the frames' shape; the last one stays.

    Returns:
        Frames (T, 3, h, w), black or with the new background where the person is not, and a mask (T, h, w) in [0, 1]:
        1 the person.

    Raises:
        SadTalkerError: the frames have neither the proportions of the rendered ones nor those of the picture.
        ShapeError: ``person`` has another size than the picture.
    """
    sizes = check_shape("frames", frames, "T 3 h w")
    matte = prepare_matte(face, sizes["w"], sizes["h"], frames.device, person)
    cut = torch.empty_like(frames, memory_format=torch.channels_last)
    mask = frames.new_empty(len(frames), *frames.shape[2:])
    if background is not None:
        check_shape("background", background, "N 3 H W")
        background = _covering(background.to(frames), sizes["w"], sizes["h"])
    for start in range(0, len(frames), _BATCH):
        part = slice(start, start + _BATCH)
        batch = frames[part]
        alpha = carried(matte, batch)
        colours = edge_colours(batch, alpha, matte.spread)
        if background is None:
            # Straight colours, not darkened by the matte; but where hardly anything is seen they would show as specks.
            cut[part] = colours * (alpha * _SEEN).clamp_max(1)
        else:
            behind = torch.arange(start, start + len(batch), device=frames.device).clamp_max(len(background) - 1)
            cut[part] = torch.lerp(background[behind], colours, alpha)
        mask[part] = alpha[:, 0]
        on_progress(start + len(batch), len(frames))
    return cut, mask


def prepare_matte(face: SourceFace, width: int, height: int, device: torch.device, person: Tensor | None) -> Matte:
    """The matte of the portrait, for frames of width x height."""
    picture, crop = face.picture.to(device), face.crop
    rows, columns = picture.shape[1:]
    landmarks = face.landmarks_in_picture
    if person is None:
        person = person_matte(picture, landmarks)
    else:
        check_shape("person", person, f"{rows} {columns}")
        person = person.to(picture)
    portrait = face.cropped.to(device)
    part = person[None, crop.top : crop.bottom, crop.left : crop.right]
    if not _alike((width, height), (crop.width, crop.height)):
        if not _alike((width, height), (columns, rows)):
            raise SadTalkerError(
                f"The frames are {width}x{height} pixels, which are neither the proportions of the rendered frames, "
                f"{crop.width}x{crop.height}, nor those of the picture, {columns}x{rows}. Connect the face that the "
                "frames were made from."
            )
        portrait, part = picture, person[None]
    part = F.interpolate(part[None], (height, width), mode="bilinear", antialias=True, align_corners=False)[0]
    face_width = float(np.ptp(landmarks[list(FACE_OVAL), 0].cpu().numpy()))
    shown = columns if portrait is picture else crop.right - crop.left
    return Matte(portrait, part.clamp(0, 1), max(1, round(_SPREAD * face_width * width / shown)))


def person_matte(picture: Tensor, landmarks: Tensor) -> Tensor:
    """How far each pixel (H, W) of a picture (3, H, W) in [0, 1] shows the person with the face of landmarks (478, 3).

    The edge of what ``find_person`` finds follows the picture's (guided filter; He, Sun and Tang, 2010), which brings
    back what hair lets through.
    """
    height, width = picture.shape[1:]
    small, found = find_person(picture, landmarks, _BODY, _WORKING_SIDE, _ROUNDS)
    face_width = float(np.ptp(landmarks[list(FACE_OVAL), 0].cpu().numpy()))
    radius = max(1, round(_EDGE * face_width * small.shape[1] / width))
    # Poles and cords behind a head, and bridges to other things of its colours, are thin.
    thick = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * radius + 1, 4 * radius + 1))
    person = largest_part(np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, thick), np.uint8))
    guide = torch.from_numpy(small).to(picture).permute(2, 0, 1)[None] / 255
    hard = torch.from_numpy(person).to(picture)[None, None]
    slope, offset = _guided(guide, hard, radius)
    slope, offset = (
        F.interpolate(each, (height, width), mode="bilinear", align_corners=False) for each in (slope, offset)
    )
    soft = ((slope * picture).sum(1) + offset[:, 0])[0]
    return ((soft - 0.5) * _CONTRAST + 0.5).clamp(0, 1)


def carried(matte: Matte, frames: Tensor) -> Tensor:
    """The matte (B, 1, h, w) of frames (B, 3, h, w): where each of their places was in the portrait, it is there."""
    height, width = frames.shape[2:]
    motion = measured_motion(matte.portrait, frames)
    shift = 2 * F.interpolate(motion, (height, width), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    y = (torch.arange(height, device=frames.device) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=frames.device) + 0.5) * (2 / width) - 1
    places = shift + torch.stack(torch.broadcast_tensors(x, y[:, None]), -1)
    person = matte.person[None].expand(len(frames), -1, -1, -1)
    return F.grid_sample(person, places, padding_mode="border", align_corners=False)


def edge_colours(frames: Tensor, alpha: Tensor, radius: int) -> Tensor:
    """The person's own colours (B, 3, h, w) where the frames mix them with the background's.

    Both are estimated from their moving_margin, then corrected so that mixed they give the frame (blur fusion; Forte,
    "Approximate fast foreground colour estimation", 2021).
    """
    person, behind = (_surely(frames, part, radius) for part in (alpha, 1 - alpha))
    return (person + alpha * (frames - alpha * person - (1 - alpha) * behind)).clamp_(0, 1)


def _surely(frames: Tensor, alpha: Tensor, radius: int) -> Tensor:
    """Colours (B, 3, h, w) that lie around each pixel where ``alpha`` (B, 1, h, w) is nearly 1; if nowhere, where it
    is largest."""
    weight = alpha**8 + 1e-6 * alpha + 1e-9
    weighted = _blurred(torch.cat((frames * weight, weight), 1), radius)
    return weighted[:, :3] / weighted[:, 3:].clamp_min(1e-12)


def _guided(guide: Tensor, mask: Tensor, radius: int) -> tuple[Tensor, Tensor]:
    """Slope (1, 3, h, w) and offset (1, 1, h, w) of the mask (1, 1, h, w) as a local linear function of the colours."""
    mean, covered = _blurred(guide, radius), _blurred(mask, radius)
    covariance = _blurred(guide * mask, radius) - mean * covered
    products = (guide[:, :, None] * guide[:, None]).flatten(1, 2)
    variance = _blurred(products, radius) - (mean[:, :, None] * mean[:, None]).flatten(1, 2)
    matrices = variance.unflatten(1, (3, 3)).permute(0, 3, 4, 1, 2) + _SMOOTHNESS * torch.eye(3).to(guide)
    slope = torch.linalg.solve(matrices, covariance.permute(0, 2, 3, 1)[..., None])[..., 0].permute(0, 3, 1, 2)
    offset = covered - (slope * mean).sum(1, keepdim=True)
    return _blurred(slope, radius), _blurred(offset, radius)


def _blurred(values: Tensor, radius: int) -> Tensor:
    """Means over (2 radius + 1) pixels square."""
    down = F.avg_pool2d(values, (2 * radius + 1, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, 2 * radius + 1), 1, (0, radius), count_include_pad=False)


def _covering(pictures: Tensor, width: int, height: int) -> Tensor:
    """Pictures (N, 3, H, W) resized so that they cover width x height, and cut to that, the middle kept."""
    rows, columns = pictures.shape[2:]
    scale = max(width / columns, height / rows)
    size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    resized = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return resized[..., top : top + height, left : left + width]


def _alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same proportions, to a pixel or two of the smaller."""
    small, large = sorted((size, other))
    scale = large[0] / small[0]
    return abs(large[1] - small[1] * scale) <= 2 * max(scale, 1)
