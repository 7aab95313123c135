"""Keypoints -> frames: the loop over batches, with progress and interrupt."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..flow import Keypoints, SourceFace
from ..progress import Progress, no_progress
from .protocols import Renderer

LARGEST_BATCH = 4
"""Frames beyond which a batch is hardly faster."""
WORKING_MEMORY = 2**30
"""Bytes that a batch of more than one frame may take."""


def frames_at_once(renderer: Renderer, pixels: int) -> int:
    """Frames of so many pixels to render in one batch, 1 to 4, so that it stays within a gigabyte."""
    return max(1, min(LARGEST_BATCH, WORKING_MEMORY // (pixels * renderer.bytes_per_pixel)))


def iterate_frames(renderer: Renderer, face: SourceFace, keypoints: Keypoints, *, batch_size: int) -> Iterator[Tensor]:
    """Batches (b, 3, h, w) in [0, 1] in order, on the device of the inputs; memory does not grow with the length."""
    source = renderer.prepare(face, keypoints.source)
    for driving in keypoints.driving.split(batch_size):
        yield renderer.render(source, driving)


def render_frames(
    renderer: Renderer,
    face: SourceFace,
    keypoints: Keypoints,
    *,
    batch_size: int | None = None,
    on_progress: Progress = no_progress,
) -> Tensor:
    """All frames (T, 3, h, w) in [0, 1], on the CPU; without a batch size as many at a time as ``frames_at_once``."""
    batch_size = batch_size or frames_at_once(renderer, face.cropped[0].numel())
    # Colours last in memory, as pictures are shown and encoded: nobody then needs a second copy of the whole clip.
    frames = torch.empty((len(keypoints), 3, face.crop.height, face.crop.width), memory_format=torch.channels_last)
    done = 0
    for batch in iterate_frames(renderer, face, keypoints, batch_size=batch_size):
        frames[done : done + batch.shape[0]] = batch.cpu()
        done += batch.shape[0]
        on_progress(done, len(keypoints))
    return frames
