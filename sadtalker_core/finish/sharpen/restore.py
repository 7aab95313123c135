"""Frames -> larger frames, with the detail of a face restoration network in the face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_shape
from ...errors import SadTalkerError
from ...face.crop import even_length
from ...progress import Progress, no_progress
from .aligned_faces import AlignedFaces, add_to_face, cut_faces, face_masks, scaled_matrices
from .stabilise import stabilised

Restore = Callable[[Tensor], Tensor]
"""Aligned faces (B, 3, 512, 512) in [0, 1] -> the same, restored."""
Enlarge = Callable[[Tensor], Tensor]
"""Frames (B, 3, H, W) in [0, 1] -> larger ones, by whatever factor."""
LARGEST_SCALE = 4.0
_SHADING_SIDE = 16
"""Cells a side in which colour and brightness of an aligned face are kept as they were."""


@dataclass(frozen=True, slots=True)
class Enhancement:
    """How frames are enhanced."""

    scale: float = 2.0
    """factor for the sides of the frames"""
    weight: float = 1.0
    """weight of what the network adds: 0 leaves the face as it is"""
    stability: float = 0.5
    """see ``stabilise.stabilised``"""
    batch_size: int = 4
    """frames at a time"""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("scale", self.scale, 1.0, LARGEST_SCALE),
            ("weight", self.weight, 0.0, 1.0),
            ("stability", self.stability, 0.0, 1.0),
            ("batch_size", self.batch_size, 1, 256),
        ):
            if not low <= value <= high:
                raise SadTalkerError(f"{name} must lie in {low}..{high}; got {value}.")


@torch.inference_mode()
def enhance_frames(
    frames: Tensor,
    enhancement: Enhancement,
    device: torch.device,
    *,
    restore: Restore | None = None,
    faces: AlignedFaces | None = None,
    enlarge: Enlarge | None = None,
    on_progress: Progress = no_progress,
) -> Tensor:
    """Enlarge frames (T, 3, H, W) in [0, 1], then restore the face in them; on the CPU.

    Beside the result, memory does not grow with the length. The network's drawing is taken over as the change that it
    makes, without its change of colours and shading: what it leaves alone stays as it is to the bit, and a picture with
    more pixels than the network draws keeps its finest detail.

    Args:
        device: where to compute.
        restore: a face restoration network; None only enlarges.
        faces: of the frames, needed to restore.
        enlarge: a network for it; None is bicubic.

    Returns:
        (T, 3, h, w) in [0, 1], both sides even.

    Raises:
        ShapeError: the faces are not as many as the frames.
    """
    sizes = check_shape("frames", frames, "T 3 H W")
    count = sizes["T"]
    height, width = (even_length(enhancement.scale * sizes[side]) for side in "HW")
    # Colours last in memory, as pictures are shown and encoded.
    larger = torch.empty((count, 3, height, width), memory_format=torch.channels_last)
    batches = ((start, min(start + enhancement.batch_size, count)) for start in range(0, count, enhancement.batch_size))
    if restore is None or faces is None or not enhancement.weight:
        for start, stop in batches:
            larger[start:stop] = enlarged(frames[start:stop].to(device), height, width, enlarge).cpu()
            on_progress(stop, count)
        return larger
    check_shape("faces", faces.matrices, f"{count} 2 3")
    targets = scaled_matrices(faces.matrices, width / sizes["W"], height / sizes["H"])

    def changes() -> Iterator[tuple[Tensor, Tensor]]:
        for start, stop in batches:
            batch, part = frames[start:stop].to(device), slice(start, stop)
            target = enlarged(batch, height, width, enlarge)
            larger[part] = target.cpu()
            before = cut_faces(target, targets[part].to(device))
            # A network that enlarges has drawn details of its own, which another one should not build upon.
            given = before if enlarge is None else cut_faces(batch, faces.matrices[part].to(device))
            mask = face_masks(faces.outlines[part].to(device)) * faces.shares[part].to(device)[:, None, None, None]
            yield from zip(given, without_shading(restore(given) - before, mask), strict=True)

    for index, change in enumerate(stabilised(changes(), enhancement.stability)):
        add_to_face(larger[index], enhancement.weight * change, targets[index])
        on_progress(index + 1, count)
    return larger


def enlarged(frames: Tensor, height: int, width: int, enlarge: Enlarge | None) -> Tensor:
    """Frames (B, 3, height, width) in [0, 1] of frames (B, 3, H, W), by the network ``enlarge`` or bicubic."""
    if enlarge is not None:
        frames = enlarge(frames)
    if frames.shape[2:] == (height, width):
        return frames
    shrinks = height < frames.shape[2]
    resized = F.interpolate(frames, (height, width), mode="bicubic", antialias=shrinks, align_corners=False)
    return resized.clamp_(0, 1)


def without_shading(change: Tensor, mask: Tensor) -> Tensor:
    """A change (B, 3, S, S) inside soft masks (B, 1, S, S), less the part of it that is wider than features are.

    Networks shift colours a little, each frame by another amount; the face must not jump against its neck, nor
    from frame to frame.
    """
    cells = (_SHADING_SIDE, _SHADING_SIDE)
    colour, cover = (
        F.interpolate(each, cells, mode="bilinear", antialias=True, align_corners=False)
        for each in (change * mask, mask)
    )
    shading = F.interpolate(colour / cover.clamp_min(1e-3), change.shape[2:], mode="bicubic", align_corners=False)
    return (change - shading) * mask
