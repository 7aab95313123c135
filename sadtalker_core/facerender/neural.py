"""The official pack's renderer: 15 driving keypoints -> frames (face-vid2vid; paper, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_shape
from ..flow import SourceFace
from .generator import Generator
from .keypoints import KEYPOINTS
from .motion import MotionSource


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """Everything about a portrait that does not change from frame to frame."""

    features: Tensor
    """(1, 32, 16, S / 4, S / 4) of the portrait"""
    motion: MotionSource
    width: int
    """of the frames in pixels, as ``height``"""
    height: int


class NeuralRenderer(nn.Module):
    """Keypoints -> frames; where the portrait's crop is no square, they are brought back to its proportions."""

    bytes_per_pixel = 6000
    """Measured: 4700 to 5500 for a pixel of the square frame, of which 3800 are tensors, beside the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = Generator()

    @torch.inference_mode()
    def prepare(self, face: SourceFace, source_keypoints: Tensor) -> PreparedSource:
        """Everything that is needed once a portrait; its keypoints (15, 3), [-1, 1]."""
        check_shape("cropped portrait", face.cropped, "3 S S")
        check_shape("source keypoints", source_keypoints, f"{KEYPOINTS} 3")
        features = self.generator.encode(face.cropped[None])
        motion = self.generator.dense_motion_network.prepare(features, source_keypoints)
        return PreparedSource(features, motion, face.crop.width, face.crop.height)

    @torch.inference_mode()
    def render(self, source: PreparedSource, driving: Tensor) -> Tensor:
        """Frames (B, 3, h, w) in [0, 1] for driving keypoints (B, 15, 3)."""
        check_shape("driving", driving, f"B {KEYPOINTS} 3")
        frames = self.generator(source.features, source.motion, driving)
        return resize_frames(frames, source.width, source.height)


def resize_frames(frames: Tensor, width: int, height: int) -> Tensor:
    """Frames (B, 3, height, width) of (B, 3, H, W), bilinear; the very same where the size fits."""
    if frames.shape[2:] == (height, width):
        return frames
    return F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
