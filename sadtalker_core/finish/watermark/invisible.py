"""A message hidden in the colours of frames.

Spread spectrum (Cox, Kilian, Leighton & Shamoon, "Secure spread spectrum watermarking for multimedia", 1997): each code
bit of the message (``payload``) decides the sign of 14 waves, chosen at random among the cosines of 8 to 32 periods
over the frame. Their sum is added to the blue-yellow difference C_b, where the eye sees least (Kutter, Jordan & Bossen,
"Digital signature of color images using amplitude modulation", 1997); brightness stays as it is. Waves counted by the
frame, not by the pixel, survive a resize; ones that low survive the halved colours of videos.

All frames get the same pattern, so that nothing flickers, and where frames are averaged the mark stays. ``detector``
finds it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...checks import check_shape
from ...errors import SadTalkerError
from ...progress import Progress, no_progress
from .payload import encode, payload_of
from .pixels import check_pixels
from .waves import HIGHEST, cosines, waves

SMALLEST_SIDE = 208
"""Side in pixels of a square frame that carries the mark through a resize to 75 % and h264. Other shapes need the same
area."""
_AMPLITUDE = 2.2 / 255
"""Root mean square of the change of C_b in a square frame of 256 pixels a side; larger ones carry more with less."""
_BLUE_YELLOW = torch.tensor([0.0, -0.344136, 1.772])
"""What a C_b of 1 adds to R, G, B (ITU-R BT.601, as in JPEG)."""


def carries_mark(height: int, width: int) -> bool:
    """Whether frames of that size are large enough for the mark."""
    return height * width >= SMALLEST_SIDE**2


def check_carries_mark(height: int, width: int) -> None:
    """Raise ``SadTalkerError`` unless frames of that size are large enough for the mark."""
    if not carries_mark(height, width):
        raise SadTalkerError(
            f"The invisible mark needs frames of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, or another shape of "
            f"that area, to survive video compression; got {width}x{height}. Use larger frames, or switch it off."
        )


def mark_pattern(message: str, height: int, width: int) -> Tensor:
    """What the mark adds to a frame: (3, height, width), RGB, in units of the frames' range 0 to 1.

    Raises:
        SadTalkerError: the message cannot be hidden (``payload.payload_of``), or the frames are too small.
    """
    code = torch.from_numpy(encode(payload_of(message)))
    check_carries_mark(height, width)
    carriers = waves()
    strengths = torch.zeros(2 * HIGHEST, 2 * HIGHEST)
    strengths[carriers.down, carriers.across] = carriers.sign * torch.where(code[carriers.code_bit], 1.0, -1.0)
    amplitude = _AMPLITUDE * min(1.0, (256**2 / (height * width)) ** 0.25) / math.sqrt(len(carriers.sign))
    pattern = amplitude * (cosines(height).T @ strengths @ cosines(width))
    return _BLUE_YELLOW[:, None, None] * pattern


def mark_(frames: Tensor, message: str, *, on_progress: Progress = no_progress) -> Tensor:
    """Hide a message in frames (T, 3, H, W), RGB in [0, 1], in place; returns them.

    Raises:
        SadTalkerError: as ``mark_pattern``, or the frames are no pictures.
    """
    sizes = check_shape("frames", frames, "T 3 H W")
    pattern = mark_pattern(message, sizes["H"], sizes["W"])
    if len(frames):
        pattern = torch.empty_like(frames[0]).copy_(pattern)  # colours first or last in memory, as in the frames
    for index, frame in enumerate(frames):
        check_pixels(frame)
        frame.add_(pattern).clamp_(0, 1)
        on_progress(index + 1, len(frames))
    return frames
