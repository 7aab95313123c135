"""Keypoints -> frames: the loop over batches, with progress and interrupt."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..flow import Keypoints, Progress, SourceFace, no_progress
from .mesh.renderer import MeshRenderer


def iterate_frames(
    renderer: MeshRenderer, face: SourceFace, keypoints: Keypoints, *, batch_size: int = 4
) -> Iterator[Tensor]:
    """Batches (b, 3, h, w) in [0, 1] in order, on the device of the inputs; memory does not grow with the length."""
    source = renderer.prepare(face)
    for driving in keypoints.driving.split(batch_size):
        yield renderer.render(source, driving)


def render_frames(
    renderer: MeshRenderer,
    face: SourceFace,
    keypoints: Keypoints,
    *,
    batch_size: int = 4,
    on_progress: Progress = no_progress,
) -> Tensor:
    """All frames (T, 3, h, w) in [0, 1], on the CPU."""
    # Colours last in memory, as pictures are shown and encoded: nobody then needs a second copy of the whole clip.
    frames = torch.empty((len(keypoints), *face.cropped.shape), memory_format=torch.channels_last)
    done = 0
    for batch in iterate_frames(renderer, face, keypoints, batch_size=batch_size):
        frames[done : done + batch.shape[0]] = batch.cpu()
        done += batch.shape[0]
        on_progress(done, len(keypoints))
    return frames
