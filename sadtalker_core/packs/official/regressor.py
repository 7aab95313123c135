"""An aligned picture -> the coefficients of the Basel face model (paper, section 3; Deng et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models import resnet50

from ...checks import check_shape
from .alignment import ALIGNED_SIZE

SIZES = (80, 64, 80, 3, 27, 2, 1)
"""identity, expression, texture, angles, light, translation x and y, translation z"""
REGRESSED = sum(SIZES)
_FEATURES = 2048


@dataclass(frozen=True, slots=True)
class RegressedFace:
    """What the regressor says about a batch of aligned pictures, in the basis 'bfm09'."""

    identity: Tensor
    """(B, 80)"""
    expression: Tensor
    """(B, 64)"""
    texture: Tensor
    """(B, 80)"""
    angles: Tensor
    """(B, 3) pitch, yaw, roll in radians"""
    light: Tensor
    """(B, 27) nine spherical harmonics for each colour"""
    translation: Tensor
    """(B, 3) in the unit of the model"""

    @property
    def pose(self) -> Tensor:
        """(B, 6) angles, then translation"""
        return torch.cat((self.angles, self.translation), 1)


class FaceRegressor(nn.Module):
    """ResNet-50 with seven linear heads: pictures (B, 3, 224, 224) RGB in [0, 1] -> coefficients (B, 257)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet50()
        self.backbone.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        self.final_layers = nn.ModuleList(nn.Conv2d(_FEATURES, size, 1) for size in SIZES)

    def forward(self, pictures: Tensor) -> Tensor:
        check_shape("pictures", pictures, f"B 3 {ALIGNED_SIZE} {ALIGNED_SIZE}")
        features = self.backbone(pictures)[:, :, None, None]
        return torch.cat([layer(features) for layer in self.final_layers], 1).flatten(1)


def split_coefficients(coefficients: Tensor) -> RegressedFace:
    """The named parts of the regressor's output (B, 257)."""
    identity, expression, texture, angles, light, *translation = coefficients.split(SIZES, 1)
    return RegressedFace(identity, expression, texture, angles, light, torch.cat(translation, 1))
