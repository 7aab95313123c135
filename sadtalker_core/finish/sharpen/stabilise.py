"""Restored detail is made steady over time.

A restoration network sees each frame by itself and draws skin, lashes and hair anew, a little differently each time.
What it changes is therefore averaged over neighbouring frames, in aligned faces, where the head rests, and along the
motion that is left; but only as far as what it was given looks the same there, so that an opening mouth or a falling
eyelid is not mixed with what was there before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..place.follow import measured_motion

REACH = 3
"""Frames before and after that take part."""
_WIDEST = 2.5
"""Standard deviation of the average at full stability, frames."""
_SAME = 0.02
"""Difference of the given faces, root mean square of a cell, at which a frame counts for 0.6 of what it else would."""
_CELL = 8
"""Pixels a side of the squares in which faces are compared."""


def stabilised(changes: Iterable[tuple[Tensor, Tensor]], stability: float) -> Iterator[Tensor]:
    """What a network changes in each frame, averaged over time; keeps no more than ``2 * REACH + 1`` frames.

    Args:
        changes: in order, for each frame the aligned face that the network was given (3, S, S) in [0, 1], and what it
            changes (3, S, S).
        stability: 0 leaves all as it comes, 1 averages most.

    Yields changes (3, S, S), as many, in order.
    """
    if not stability:
        for _, change in changes:
            yield change
        return
    sigma = _WIDEST * stability
    shares = [torch.exp(torch.tensor(-0.5 * (step / sigma) ** 2)).item() for step in range(REACH + 1)]
    window: deque[tuple[Tensor, Tensor]] = deque(maxlen=2 * REACH + 1)
    middle = 0
    """place of the next frame to give in the window"""
    for pair in changes:
        if len(window) == window.maxlen:
            middle -= 1
        window.append(pair)
        if len(window) - middle > REACH:
            yield _average(window, middle, shares)
            middle += 1
    while middle < len(window):
        yield _average(window, middle, shares)
        middle += 1


def _average(window: deque[tuple[Tensor, Tensor]], middle: int, shares: list[float]) -> Tensor:
    face, own = window[middle]
    total, weights = own.clone(), torch.ones_like(own[:1])
    for index, (other, change) in enumerate(window):
        step = abs(index - middle)
        if not 0 < step <= REACH:
            continue
        moved = _follow(torch.cat((other, change)), measured_motion(other, face[None]))
        difference = F.avg_pool2d((moved[:3] - face).square().mean(0, keepdim=True), _CELL)
        weight = shares[step] * torch.exp(-0.5 / _SAME**2 * difference)
        weight = F.interpolate(weight[None], face.shape[1:], mode="bilinear", align_corners=False)[0]
        total.addcmul_(weight, moved[3:])
        weights += weight
    return total / weights


def _follow(picture: Tensor, motion: Tensor) -> Tensor:
    """A picture (C, S, S) moved by a motion (1, 2, rows, columns), shares of its sides."""
    side = picture.shape[1]
    shift = F.interpolate(motion, (side, side), mode="bilinear", align_corners=False)[0]
    places = (torch.arange(side, device=picture.device) + 0.5) / side
    grid = 2 * torch.stack((shift[0] + places, shift[1] + places[:, None]), -1) - 1
    return F.grid_sample(picture[None], grid[None], mode="bicubic", padding_mode="border", align_corners=False)[0]
