"""Is there an invisible mark in frames, and what does it say?

The detector looks at the blue-yellow difference C_b less what the other two channels predict of it there, since a
picture's own edges show in all of them, divides by the spread that is left, and correlates with the waves.

Whether there is a mark is decided by the score of the best message. Over the random signs of the waves, the score of
each message in an unmarked picture exceeds t with a probability of at most exp(-t^2 / 2) (Hoeffding's inequality);
there are 2^64 messages, and 6561 ways in which the frame may have been cropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...progress import Progress, no_progress
from .payload import CODE_BITS, PAYLOAD_BITS, decode, encode, message_of
from .pixels import check_pixels
from .waves import cosines, waves

CROPS = tuple(step * 0.0125 for step in range(9))
"""Shares of a side by which each edge of the frame may have been cut off: up to a tenth."""
FALSE_ALARMS = 1e-9
"""Share of unmarked pictures in which a mark is found, at most; a video is looked at three times each 50 frames."""
FOUND = math.sqrt(2 * (PAYLOAD_BITS * math.log(2) + 4 * math.log(len(CROPS)) - math.log(FALSE_ALARMS)))
"""Score from which on there is a mark: 12.2."""
LOOKS = (1, 10, 50)
"""Numbers of frames whose average is looked at. Many frames blur the picture behind the mark; but small videos in which
everything moves keep the mark in few, since their encoder drops it where it hardly differs from what moved there."""
_GRID = 128
"""Pixels a side to which frames are reduced; that still shows the finest wave well."""
_WINDOW = 7
"""Pixels a side of the neighbourhoods in which channels are compared."""
_NEAR_WAVES = 9
"""Waves a side among which their strength is evened out."""
_CLIP = 2.5
"""Strengths beyond which a single wave counts for no more: edges of the picture, hardly the mark."""
_TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""RGB -> Y, C_b, C_r (ITU-R BT.601, as in JPEG)."""


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


def detect(frames: Iterable[Tensor], *, on_progress: Progress = no_progress) -> Detection:
    """Look for a mark in frames (3, H, W), RGB in [0, 1], of one size or several.

    Of each 50 frames averages are looked at, up to the first in which a mark can be read. If there is none, the first
    frame is searched for one that was cropped, which takes about a second. Without any the highest score is returned.

    Raises:
        SadTalkerError: there are no frames, or they are no pictures.
    """
    total, count, best = torch.zeros(3, _GRID, _GRID), 0, Detection(0.0, None)
    first = total
    for index, frame in enumerate(frames):
        if count == LOOKS[-1]:
            total, count = torch.zeros_like(total), 0
        total = total + _reduced(frame)
        count += 1
        first = total if index == 0 else first
        on_progress(index + 1, index + 1)
        if count not in LOOKS:
            continue
        best = max(best, _look(total / count), key=_certainty)
        if best.message is not None:
            return best
    if not count:
        raise SadTalkerError("Expected frames to look for a mark in, got none.")
    best = max(best, _look(total / count), key=_certainty)
    if best.message is not None:
        return best
    return max(best, _search(first), key=_certainty)


def code_scores(frame: Tensor) -> Tensor:
    """How far each code bit of a mark seems to be 1 (above 0) or 0 (below): (210,).

    Args:
        frame: (3, H, W), RGB in [0, 1]; of a video, the average of its frames. Not a cropped one.
    """
    return _code_scores(_whole_frame(_reduced(frame)))[0]


def _look(average: Tensor) -> Detection:
    return _read(_code_scores(_whole_frame(average))[0])


def _search(frame: Tensor) -> Detection:
    """The same for a frame that may have lost a tenth at each edge."""
    own = _own_colour(frame)
    sides = [cosines(_GRID, first, 1 - last) for first, last in product(CROPS, CROPS)]
    across = torch.stack(sides).transpose(1, 2)
    found = [_code_scores(down @ own @ across) for down in sides]
    # The bits' own strengths tell the right place before any message is read.
    return _read(max((scores[scores.square().sum(1).argmax()] for scores in found), key=torch.Tensor.norm))


def _read(scores: Tensor) -> Detection:
    payload = decode(scores.double().numpy())
    fit = float(scores @ torch.from_numpy(np.where(encode(payload), 1.0, -1.0)).float())
    return Detection(fit, message_of(payload) if fit >= FOUND else None)


def _certainty(detection: Detection) -> tuple[bool, float]:
    return detection.message is not None, detection.score


def _reduced(frame: Tensor) -> Tensor:
    """Y, C_b, C_r (3, 128, 128) of a frame (3, H, W), in 0..255, on the CPU."""
    check_shape("frame", frame, "3 H W")
    check_pixels(frame)
    cells = F.interpolate(frame[None].float(), (_GRID, _GRID), mode="bilinear", antialias=True, align_corners=False)
    return 255 * torch.einsum("yc,chw->yhw", _TO_YCC, cells[0].cpu())


def _whole_frame(channels: Tensor) -> Tensor:
    """Strengths (1, 64, 64) of the cosines in Y, C_b, C_r (3, 128, 128) of a frame that nothing was cut from."""
    side = cosines(_GRID)
    return (side @ _own_colour(channels) @ side.T)[None]


def _code_scores(strengths: Tensor) -> Tensor:
    """(B, 210) of strengths (B, 64, 64) of the cosines; the sum of the 210 with a message's signs is its score."""
    carriers, half = waves(), _NEAR_WAVES // 2
    power = F.avg_pool2d(F.pad(strengths.square()[:, None], (half,) * 4, mode="reflect"), _NEAR_WAVES, 1)[:, 0]
    even = (strengths / power.sqrt().clamp_min(1e-9)).clamp(-_CLIP, _CLIP)[:, carriers.down, carriers.across]
    even = even / even.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return torch.zeros(len(even), CODE_BITS).index_add_(1, carriers.code_bit, even * carriers.sign)


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
    """Mean of each 7x7 neighbourhood in channels (C, H, W)."""
    return F.avg_pool2d(F.pad(channels[None], (_WINDOW // 2,) * 4, mode="replicate"), _WINDOW, 1)[0]
