"""MEL -> COEFFICIENTS (expression)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_shape
from ..errors import SadTalkerError
from ..flow import EXPRESSION_SIZE, BlinkCurve, MelWindows
from ..progress import Progress, no_progress
from .model import ExpNet


@torch.no_grad()
def predict_expression(
    expnet: ExpNet,
    mel: MelWindows,
    start: Tensor,
    blink: BlinkCurve | None,
    *,
    smoothing: float = 0.0,
    on_progress: Progress = no_progress,
    batch_size: int = 64,
) -> Tensor:
    """Expression (T, 64) for each of the T mel windows.

    Args:
        expnet: in inference mode, on the device of the tensors.
        start: (64,) expression that the network starts from, the portrait's own, or (T, 64), one for each frame.
        blink: T frames at the rate of ``mel``; None keeps the eyes open.
        smoothing: weight, 0 to 1/3, of each of the two neighbouring frames in what is heard at a frame; 0 as in the
            original. It calms trembling lips; eyes and the rest of the face stay as sharp.

    Raises:
        ShapeError: ``start`` has another shape.
        SadTalkerError: the blink curve has another length or frame rate.
    """
    frames = len(mel)
    check_shape("start", start, f"{frames} {EXPRESSION_SIZE}" if start.ndim == 2 else f"{EXPRESSION_SIZE}")
    starts = start.expand(frames, -1)
    ratio = starts.new_zeros(frames) if blink is None else _matching_closure(blink, mel, starts)
    parts: list[Tensor] = []
    for done in range(0, frames, batch_size):
        parts.append(expnet.hear(mel.windows[done : done + batch_size]))
        on_progress(min(done + batch_size, frames), frames)
    audio = _smoothed(torch.cat(parts), smoothing)
    return expnet.express(audio, starts, ratio[:, None])


def _smoothed(audio: Tensor, weight: float) -> Tensor:
    """Features (T, C) mixed with ``weight`` of each neighbour; beyond the ends the outermost repeat."""
    if not weight:
        return audio
    before, after = torch.cat((audio[:1], audio[:-1])), torch.cat((audio[1:], audio[-1:]))
    return torch.lerp(audio, (before + after) / 2, 2 * weight)


def _matching_closure(blink: BlinkCurve, mel: MelWindows, like: Tensor) -> Tensor:
    if len(blink) != len(mel) or blink.fps != mel.fps:
        raise SadTalkerError(
            f"The blinks are {len(blink)} frames at {blink.fps} a second, the speech {len(mel)} frames at {mel.fps}. "
            "Make the blinks from the same mel windows."
        )
    return blink.closure.to(like)
