"""CSIM: is it still the same person? Cosine of ArcFace's embeddings of the portrait and of each frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..face.measures import five_points
from ..geometry import similarity_between
from .identity import identity_similarities
from .networks.arcface import FACE_SIZE, ArcFace
from .requirements import NotMeasuredError
from .video_metrics import Figure, VideoClip

STANDARD_POINTS = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Eye, eye, nose tip, mouth corner, mouth corner of an aligned face of 112 pixels, the picture's left ones first; what
ArcFace was trained with."""
_BATCH = 16


def aligned_faces(frames: Tensor, points: Tensor) -> Tensor:
    """Faces (T, 3, 112, 112) uint8, laid over ``STANDARD_POINTS``.

    Args:
        frames: (T, 3, H, W) uint8, T at least 1.
        points: (T, 478, 3) landmarks, pixels.
    """
    flat = F.pad(five_points(points.double()), (0, 1))
    standard = F.pad(flat.new_tensor(STANDARD_POINTS), (0, 1)).expand(len(flat), -1, -1)
    found = similarity_between(flat, standard)
    turn = found.scale[:, None, None] * found.rotation[:, :2, :2]
    matrices = torch.cat((turn, found.translation[:, :2, None]), 2).cpu().numpy()
    pictures = np.ascontiguousarray(frames.permute(0, 2, 3, 1).cpu().numpy())
    faces = [cv2.warpAffine(p, m, (FACE_SIZE, FACE_SIZE)) for p, m in zip(pictures, matrices, strict=True)]
    return torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)


class IdentitySimilarity:
    """Mean cosine of the frames in which a face was found."""

    figures: Sequence[Figure] = (Figure("csim", "CSIM", "higher"),)

    def __init__(self, network: ArcFace) -> None:
        self._network = network

    def measure(self, clip: VideoClip) -> Mapping[str, float]:
        if clip.source is None:
            raise NotMeasuredError("the portrait")
        if clip.source_points is None or bool(clip.source_points.isnan().any()):
            raise NotMeasuredError("a face in the portrait")
        seen = clip.seen.nonzero()[:, 0]
        if not len(seen):
            raise NotMeasuredError("frames in which a face is seen")
        source = self._embed(clip.source[None], clip.source_points[None])[0]
        embeddings = [self._embed(clip.frames[part], clip.points[part]) for part in seen.split(_BATCH)]
        return {"csim": float(identity_similarities(source, torch.cat(embeddings)).mean())}

    def _embed(self, frames: Tensor, points: Tensor) -> Tensor:
        device = next(self._network.parameters()).device
        faces = aligned_faces(frames, points).flip(1).to(device)  # BGR: its training pictures were stored so
        with torch.inference_mode():
            return self._network(faces.float() / 255)
