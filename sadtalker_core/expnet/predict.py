"""MEL -> COEFFICIENTS (expression)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_shape
from ..errors import SadTalkerError
from ..flow import EXPRESSION_SIZE, BlinkCurve, Coefficients, MelWindows, Progress, no_progress
from .model import ExpNet


@torch.no_grad()
def predict_expression(
    expnet: ExpNet,
    mel: MelWindows,
    reference: Tensor,
    blink: BlinkCurve | None,
    *,
    basis: str,
    on_progress: Progress = no_progress,
    batch_size: int = 64,
) -> Coefficients:
    """Expression (T, 64) for each of the T mel windows.

    Args:
        expnet: in inference mode, on the device of the tensors.
        reference: (64,) expression of the portrait, or (T, 64), one for each frame.
        blink: T frames at the rate of ``mel``; None keeps the eyes open.
        basis: name of the space that ``expnet`` was trained in.

    Raises:
        ShapeError: the reference has another shape.
        SadTalkerError: the blink curve has another length or frame rate.
    """
    frames = len(mel)
    check_shape("reference", reference, f"{frames} {EXPRESSION_SIZE}" if reference.ndim == 2 else f"{EXPRESSION_SIZE}")
    references = reference.expand(frames, -1)
    ratio = references.new_zeros(frames) if blink is None else _matching_closure(blink, mel, references)
    parts: list[Tensor] = []
    for start in range(0, frames, batch_size):
        part = slice(start, start + batch_size)
        parts.append(expnet(mel.windows[part], references[part], ratio[part, None]))
        on_progress(min(start + batch_size, frames), frames)
    return Coefficients(basis, mel.fps, expression=torch.cat(parts))


def _matching_closure(blink: BlinkCurve, mel: MelWindows, like: Tensor) -> Tensor:
    if len(blink) != len(mel) or blink.fps != mel.fps:
        raise SadTalkerError(
            f"The blinks are {len(blink)} frames at {blink.fps} a second, the speech {len(mel)} frames at {mel.fps}. "
            "Make the blinks from the same mel windows."
        )
    return blink.closure.to(like)
