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
    smoothing: float = 0.0,
    on_progress: Progress = no_progress,
    batch_size: int = 64,
) -> Coefficients:
    """Expression (T, 64) for each of the T mel windows.

    Args:
        expnet: in inference mode, on the device of the tensors.
        reference: (64,) expression of the portrait, or (T, 64), one for each frame.
        blink: T frames at the rate of ``mel``; None keeps the eyes open.
        basis: name of the space that ``expnet`` was trained in.
        smoothing: share, 0 to 1/3, that each of the two neighbouring frames has in what is heard at a frame; 0 is the
            reference's way. It takes the trembling of the lips; eyes and the rest of the face stay as sharp.

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
        parts.append(expnet.hear(mel.windows[start : start + batch_size]))
        on_progress(min(start + batch_size, frames), frames)
    audio = _smoothed(torch.cat(parts), smoothing)
    return Coefficients(basis, mel.fps, expression=expnet.express(audio, references, ratio[:, None]))


def _smoothed(audio: Tensor, share: float) -> Tensor:
    """Features (T, C) mixed with ``share`` of each neighbour; beyond the ends the outermost repeat."""
    if not share:
        return audio
    before, after = torch.cat((audio[:1], audio[:-1])), torch.cat((audio[1:], audio[-1:]))
    return torch.lerp(audio, (before + after) / 2, 2 * share)


def _matching_closure(blink: BlinkCurve, mel: MelWindows, like: Tensor) -> Tensor:
    if len(blink) != len(mel) or blink.fps != mel.fps:
        raise SadTalkerError(
            f"The blinks are {len(blink)} frames at {blink.fps} a second, the speech {len(mel)} frames at {mel.fps}. "
            "Make the blinks from the same mel windows."
        )
    return blink.closure.to(like)
