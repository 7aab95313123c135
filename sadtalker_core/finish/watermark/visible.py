"""A text or a logo in a corner of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...progress import Progress, no_progress
from .pixels import check_pixels

CORNERS = ("bottom right", "bottom left", "top right", "top left")
LONGEST_TEXT = 100
"""characters"""
_LETTER = 96
"""Pixels in height for which letters are drawn; they are reduced from there."""
_OUTLINE = 5
"""Pixels of the dark line around letters, so that they can be read on white, too."""
_MARGIN = 0.02
"""Distance from the frame's edges, as a fraction of its shorter side."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a text or a logo is laid over frames."""

    corner: str = CORNERS[0]
    opacity: float = 0.6
    """0 invisible, 1 covers what is behind it"""
    size: float = 0.07
    """its height as a fraction of the frame's shorter side; less where it would be too wide"""

    def __post_init__(self) -> None:
        if self.corner not in CORNERS:
            raise SadTalkerError(f"corner must be one of {', '.join(CORNERS)}; got '{self.corner}'.")
        for name, value, low in (("opacity", self.opacity, 0.0), ("size", self.size, 0.01)):
            if not low <= value <= 1:
                raise SadTalkerError(f"{name} must lie in {low}..1; got {value}.")


def text_logo(text: str) -> Tensor:
    """A line of text, white with a dark outline: (4, h, w), RGB and opacity in [0, 1].

    Raises:
        SadTalkerError: it is empty, too long, of several lines, or has characters that the font lacks.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise SadTalkerError(
            f"A visible text is one line of 1 to {LONGEST_TEXT} characters; got {len(text)} characters: {text[:40]!r}."
        )
    font = ImageFont.load_default(_LETTER)
    missing = _drawn("\uffff", font).tobytes()
    strange = sorted({c for c in text if not c.isspace() and _drawn(c, font).tobytes() == missing})
    if strange:
        raise SadTalkerError(
            f"The font for visible texts has no {' '.join(strange)}. Connect a picture of the text as the logo instead."
        )
    return torch.from_numpy(np.asarray(_drawn(text, font)).copy()).permute(2, 0, 1).float() / 255


def overlay_(
    frames: Tensor, logo: Tensor, placement: Placement | None = None, *, on_progress: Progress = no_progress
) -> Tensor:
    """Lay a logo over frames (T, 3, H, W) in [0, 1], in place; returns them.

    Args:
        logo: (4, h, w), RGB and opacity in [0, 1], of any size.

    Raises:
        SadTalkerError: the logo has no pixels, or it or the frames hold what is no number.
    """
    placement = placement or Placement()
    sizes = check_shape("frames", frames, "T 3 H W")
    fitted, rows, columns = _fitted(logo.to(frames.device, frames.dtype), placement, sizes["H"], sizes["W"])
    colour, cover = placement.opacity * fitted[:3], 1 - placement.opacity * fitted[3]
    for index, frame in enumerate(frames):
        check_pixels(frame)
        frame[:, rows, columns].mul_(cover).add_(colour)
        on_progress(index + 1, len(frames))
    return frames


def _fitted(logo: Tensor, placement: Placement, frame_height: int, frame_width: int) -> tuple[Tensor, slice, slice]:
    """The logo in its size, its colours times its opacity; the rows and columns of the frame that it covers."""
    if logo.ndim != 3 or logo.shape[0] != 4 or 0 in logo.shape:
        raise SadTalkerError(f"Expected a logo of shape (4, height, width) with pixels, got {tuple(logo.shape)}.")
    if not torch.isfinite(logo).all():
        raise SadTalkerError("The logo holds what is no number. Load it again, or use another one.")
    shorter = min(frame_height, frame_width)
    margin = round(_MARGIN * shorter)
    scale = min(
        placement.size * shorter / logo.shape[1],
        (frame_height - 2 * margin) / logo.shape[1],
        (frame_width - 2 * margin) / logo.shape[2],
    )
    height, width = (max(1, round(scale * side)) for side in logo.shape[1:])
    logo = logo.clamp(0, 1)
    solid = torch.cat((logo[:3] * logo[3:], logo[3:]))  # or the colour of what cannot be seen would bleed in
    fitted = F.interpolate(solid[None], (height, width), mode="bilinear", antialias=True, align_corners=False)
    fitted = fitted[0].clamp(0, 1)
    top = margin if placement.corner.startswith("top") else frame_height - margin - height
    left = margin if placement.corner.endswith("left") else frame_width - margin - width
    return fitted, slice(top, top + height), slice(left, left + width)


def _drawn(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(text, stroke_width=_OUTLINE)
    picture = Image.new("RGBA", (max(1, round(right - left)), max(1, round(bottom - top))), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text(
        (-left, -top), text, font=font, fill="white", stroke_width=_OUTLINE, stroke_fill=(0, 0, 0, 160)
    )
    return picture
