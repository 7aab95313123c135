"""The official pack's renderer: 15 driving keypoints -> frames (face-vid2vid; paper, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_shape
from ...flow import SourceFace
from .blocks import coordinate_grid
from .dense_motion import MotionSource
from .generator import Generator, warp_features
from .keypoints import DEPTH, KEYPOINTS

_CELL = 4
"""Pixels of the portrait a cell of the features."""
_AGREEING = 0.03
"""Distance between the places that a pixel's layers come from, as parts of [-1, 1], at which they count for little."""


@dataclass(frozen=True, slots=True)
class EncodedSource:
    """Everything about a portrait that does not change from frame to frame."""

    features: Tensor
    """(1, 32, 16, S / 4, S / 4) of the portrait"""
    motion: MotionSource
    width: int
    """size of the frames in pixels, with ``height``"""
    height: int


class NeuralRenderer(nn.Module):
    """Keypoints -> frames; where the portrait's crop is no square, they are brought back to its proportions."""

    bytes_per_pixel = 6000
    """Measured: 4700 to 5500 for a pixel of the square frame, of which 3800 are tensors, beside the weights."""
    any_size = False

    def __init__(self) -> None:
        super().__init__()
        self.generator = Generator()

    @torch.inference_mode()
    def prepare(self, face: SourceFace, source_keypoints: Tensor) -> EncodedSource:
        """Everything that is needed once a portrait; its keypoints (15, 3), [-1, 1]."""
        check_shape("cropped portrait", face.cropped, "3 S S")
        check_shape("source keypoints", source_keypoints, f"{KEYPOINTS} 3")
        features = self.generator.encode(face.cropped[None])
        motion = self.generator.dense_motion_network.prepare(features, source_keypoints)
        return EncodedSource(features, motion, face.crop.width, face.crop.height)

    @torch.inference_mode()
    def render(self, source: EncodedSource, driving: Tensor) -> Tensor:
        """Frames (B, 3, h, w) in [0, 1] for driving keypoints (B, 15, 3)."""
        check_shape("driving", driving, f"B {KEYPOINTS} 3")
        frames = self.generator(source.features, source.motion, driving)
        return resize_frames(frames, source.width, source.height)

    @torch.inference_mode()
    def source_positions(self, source: EncodedSource, driving: Tensor) -> tuple[Tensor, Tensor]:
        """See ``pack.Renderer``; (B, 2, S / 4, S / 4) and (B, 1, S / 4, S / 4).

        The network moves a volume: the place of a pixel is the mean over its layers, by how strong the features are
        that come from each. Trust is what the network calls occlusion, less where layers disagree. The motion is
        computed again, which costs a part of what rendering does.
        """
        check_shape("driving", driving, f"B {KEYPOINTS} 3")
        motion = self.generator.dense_motion_network(source.motion, driving)
        strength = warp_features(source.features, motion).square().mean(1).sqrt() + 1e-6  # (B, 16, h, w)
        strength = (strength / strength.sum(1, keepdim=True))[..., None]
        height, width = strength.shape[2:4]
        # Features are read half a cell off towards the edge, see DenseMotion; what is drawn from them is not.
        shift = (motion.deformation - coordinate_grid(DEPTH, height, width, like=driving))[..., :2]
        mean = (strength * shift).sum(1)  # (B, h, w, 2)
        spread = (strength[..., 0] * (shift - mean[:, None]).square().sum(-1)).sum(1, keepdim=True)
        pixels = driving.new_tensor((width - 1, height - 1)) / 2 * _CELL
        y, x = (torch.arange(size).to(driving) + 0.5 for size in (height, width))
        still = torch.stack(torch.broadcast_tensors(x, y[:, None])) * _CELL
        seen = motion.occlusion / motion.occlusion.amax((2, 3), keepdim=True)  # the decoder can make up for a factor
        return still + (mean * pixels).permute(0, 3, 1, 2), seen * torch.exp(-spread / (2 * _AGREEING**2))


def resize_frames(frames: Tensor, width: int, height: int) -> Tensor:
    """Frames (B, 3, height, width) of (B, 3, H, W), bilinear; the very same where the size fits."""
    if frames.shape[2:] == (height, width):
        return frames
    return F.interpolate(frames, (height, width), mode="bilinear", align_corners=False)
