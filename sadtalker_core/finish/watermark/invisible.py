"""A message hidden in the colours of frames, and found again.

Spread spectrum (Cox, Kilian, Leighton & Shamoon, "Secure spread spectrum watermarking for multimedia", 1997): each code
bit of the message (``payload``) decides the sign of 14 waves, chosen at random among the cosines of 8 to 32 periods
over the frame. Their sum is added to the blue-yellow difference C_b, where the eye sees least (Kutter, Jordan & Bossen,
"Digital signature of color images using amplitude modulation", 1997); brightness stays as it is. Waves counted by the
frame, not by the pixel, survive a resize; ones that low survive the halved colours of videos.

All frames get the same pattern, so that nothing flickers, and where frames are averaged the mark stays.

The detector looks at C_b less what the other two channels predict of it there, since a picture's own edges show in all
of them, divides by the spread that is left, and correlates with the waves. Whether there is a mark is decided by the
score of the best message: over the random signs, each message's score in an unmarked picture exceeds t with a
probability of at most exp(-t^2 / 2) (Hoeffding's inequality), and there are 2^64 messages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...flow import Progress, no_progress
from .payload import CODE_BITS, PAYLOAD_BITS, decode, encode, message_of, payload_of
from .pixels import check_pixels

SMALLEST_SIDE = 208
"""Of a square frame that carries the mark through a resize to 75 % and h264; of others the square of equal area."""
FALSE_ALARMS = 1e-9
"""Share of unmarked pictures in which a mark is found, at most; a video is looked at three times each 50 frames."""
FOUND = math.sqrt(2 * (PAYLOAD_BITS * math.log(2) - math.log(FALSE_ALARMS)))
"""Score from which on there is a mark: 11.4."""
LOOKS = (1, 10, 50)
"""Numbers of frames whose average is looked at. Many frames blur the picture behind the mark; but small videos in which
everything moves keep the mark in few, since their encoder drops it where it hardly differs from what moved there."""
_LOWEST, _HIGHEST = 8, 32
"""Periods of the waves over the frame."""
_AMPLITUDE = 2.2 / 255
"""Root mean square of the change of C_b in a square frame of 256 pixels a side; larger ones carry more with less."""
_KEY = 20230322
"""Seed of the choice of waves; another one would make another kind of mark, that this detector does not see."""
_GRID = 128
"""Pixels a side to which frames are reduced for the detector; that still shows the finest wave well."""
_WINDOW = 7
"""Pixels a side of the neighbourhoods in which the detector compares channels."""
_NEAR_WAVES = 9
"""Waves a side among which the detector evens out their strength."""
_CLIP = 2.5
"""Strengths beyond which a single wave counts for no more: edges of the picture, hardly the mark."""
_TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""RGB -> Y, C_b, C_r, as JPEG and ITU-R BT.601 have it."""
_BLUE_YELLOW = torch.tensor([0.0, -0.344136, 1.772])
"""What a C_b of 1 adds to R, G, B."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector says."""

    score: float
    """how well the best message fits; see ``FOUND``"""
    message: str | None
    """None: there is no mark, or too little of it to read"""

    @property
    def found(self) -> bool:
        return self.score >= FOUND

    def __str__(self) -> str:
        if not self.found:
            return f"no mark found (score {self.score:.1f}, {FOUND:.1f} needed)"
        says = "that is too faint to read" if self.message is None else f"that says '{self.message}'"
        return f"mark found {says} (score {self.score:.1f}, {FOUND:.1f} needed)"


@dataclass(frozen=True, slots=True)
class _Waves:
    """The cosines that carry the mark: how many half periods they have down and across, and what they stand for."""

    down: Tensor
    across: Tensor
    code_bit: Tensor
    sign: Tensor


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
    waves = _waves()
    strengths = torch.zeros(2 * _HIGHEST, 2 * _HIGHEST)
    strengths[waves.down, waves.across] = waves.sign * torch.where(code[waves.code_bit], 1.0, -1.0)
    amplitude = _AMPLITUDE * min(1.0, (256**2 / (height * width)) ** 0.25) / math.sqrt(len(waves.sign))
    pattern = amplitude * (_cosines(height).T @ strengths @ _cosines(width))
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


def detect(frames: Iterable[Tensor], *, on_progress: Progress = no_progress) -> Detection:
    """Look for a mark in frames (3, H, W), RGB in [0, 1], of one size or several.

    Of each 50 frames averages are looked at, up to the first in which a mark can be read; if there is none, the highest
    score is returned. Nothing is kept of frames that have passed.

    Raises:
        SadTalkerError: there are no frames, or they are no pictures.
    """
    total, count, best, looked = torch.zeros(3, _GRID, _GRID), 0, Detection(0.0, None), False
    for index, frame in enumerate(frames):
        if count == LOOKS[-1]:
            total, count = torch.zeros_like(total), 0
        total += _reduced(frame)
        count += 1
        on_progress(index + 1, index + 1)
        looked = count in LOOKS
        if looked:
            best = max(best, _look(total / count), key=_certainty)
            if best.message is not None:
                return best
    if not count:
        raise SadTalkerError("Expected frames to look for a mark in, got none.")
    return best if looked else max(best, _look(total / count), key=_certainty)


def code_scores(frame: Tensor) -> tuple[Tensor, float]:
    """How far each code bit of a mark seems to be 1 (above 0) or 0 (below), and the length of all that was compared.

    Args:
        frame: (3, H, W), RGB in [0, 1]; of a video, the average of its frames.

    Returns:
        (210,) scores, and a number: the scores' sum with the signs of a message, divided by it, is the message's score.
    """
    return _code_scores(_reduced(frame))


def _look(average: Tensor) -> Detection:
    scores, length = _code_scores(average)
    payload = decode(scores.double().numpy())
    fit = float(scores @ torch.from_numpy(np.where(encode(payload), 1.0, -1.0)).float()) / length
    return Detection(fit, message_of(payload) if fit >= FOUND else None)


def _certainty(detection: Detection) -> tuple[bool, float]:
    return detection.message is not None, detection.score


def _reduced(frame: Tensor) -> Tensor:
    """Y, C_b, C_r (3, 128, 128) of a frame (3, H, W), in 0..255, on the CPU."""
    check_shape("frame", frame, "3 H W")
    check_pixels(frame)
    cells = F.interpolate(frame[None].float(), (_GRID, _GRID), mode="bilinear", antialias=True, align_corners=False)
    return 255 * torch.einsum("yc,chw->yhw", _TO_YCC, cells[0].cpu())


def _code_scores(channels: Tensor) -> tuple[Tensor, float]:
    """Of Y, C_b, C_r (3, 128, 128)."""
    waves = _waves()
    cosines = _cosines(_GRID)
    strengths = cosines @ _own_colour(channels) @ cosines.T
    half = _NEAR_WAVES // 2
    power = F.avg_pool2d(F.pad(strengths.square()[None, None], (half,) * 4, mode="reflect"), _NEAR_WAVES, 1)[0, 0]
    strengths = (strengths / power.sqrt().clamp_min(1e-9)).clamp(-_CLIP, _CLIP)[waves.down, waves.across]
    scores = torch.zeros(CODE_BITS).index_add_(0, waves.code_bit, strengths * waves.sign)
    return scores, max(float(strengths.norm()), 1e-9)


def _own_colour(channels: Tensor) -> Tensor:
    """What C_b (128, 128) does on its own in small neighbourhoods, in units of its spread there."""
    fine = channels - _local_mean(channels)
    (luma, blue, red), noise = fine, 1.0
    products = torch.stack((luma * luma, red * red, luma * red, blue * luma, blue * red))
    luma_luma, red_red, luma_red, blue_luma, blue_red = _local_mean(products)
    luma_luma, red_red = luma_luma + noise, red_red + noise
    determinant = luma_luma * red_red - luma_red.square()
    from_luma = (blue_luma * red_red - blue_red * luma_red) / determinant
    from_red = (blue_red * luma_luma - blue_luma * luma_red) / determinant
    own = blue - from_luma * luma - from_red * red
    return own / (_local_mean(_local_mean(own.square()[None])).sqrt()[0] + 0.2)


def _local_mean(channels: Tensor) -> Tensor:
    """Of each 7x7 neighbourhood in channels (C, H, W)."""
    return F.avg_pool2d(F.pad(channels[None], (_WINDOW // 2,) * 4, mode="replicate"), _WINDOW, 1)[0]


@cache
def _waves() -> _Waves:
    half_periods = torch.arange(2 * _HIGHEST)
    down, across = torch.meshgrid(half_periods, half_periods, indexing="ij")
    periods = torch.hypot(down.float(), across.float()) / 2
    # Waves in one direction alone would be seen first, and are most like what pictures hold.
    carry = (periods >= _LOWEST) & (periods < _HIGHEST) & (down > 0) & (across > 0)
    count = int(carry.sum())
    random = np.random.RandomState(_KEY)  # the one generator of numpy whose numbers never change
    code_bit = torch.from_numpy(random.permutation(count) % CODE_BITS)
    sign = torch.from_numpy(random.randint(0, 2, count) * 2.0 - 1.0).float()
    return _Waves(down[carry], across[carry], code_bit, sign)


@cache
def _cosines(length: int) -> Tensor:
    """(64, length) cosines of 0, 1, ... half periods over that many pixels, of root mean square 1."""
    places = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    half_periods = torch.arange(2 * _HIGHEST, dtype=torch.float64)[:, None]
    return (math.sqrt(2) * torch.cos(math.pi * half_periods * places)).float()
