"""The official pack's extractor: the original's crops, then the ResNet-50 regressor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...checks import check_shape
from ...errors import FaceNotFoundError
from ...face.crop import even_length, landmarks_in_crop
from ...face.framing import OWN_SIZE, PASTED_FRAMINGS, own_size
from ...face.landmark_networks import MESH_POINTS
from ...face.points68 import points68
from ...flow import Crop, SourceFace
from .alignment import Alignment, align_picture, align_points, original_five_points
from .crops import CropGeometry, crop_geometry, square_picture, whole_geometry
from .regressor import FaceRegressor, RegressedFace, split_coefficients

Pixels = NDArray[np.uint8]

BASIS = "bfm09"
EXTENDED_FRAMINGS = ("extcrop", "extfull")
_SMALLEST_SIDE = 16
"""Pixels of the picture; a narrower crop shows no face."""


class RegressorExtractor(nn.Module):
    """Landmarks -> coefficients as in the original, for networks trained on pictures of ``size`` x ``size`` pixels."""

    basis = BASIS

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.regressor = FaceRegressor()

    @torch.no_grad()
    def extract(self, picture: Tensor, points: Tensor, *, framing: str, size: int) -> SourceFace:
        """See ``face.extractor.Extractor``. Works on 8 bits, as the original does.

        Frames are ``self.size`` pixels wide, and narrower only where their longer side would exceed ``size``. At
        their own size they are enlarged to the part of the picture that they show.

        Raises:
            FaceNotFoundError: the landmarks span no face.
        """
        check_shape("points", points, f"{MESH_POINTS} 3")
        height, width = picture.shape[1:]
        if not torch.isfinite(points).all():
            raise FaceNotFoundError("The landmarks of the face hold values that are no numbers. Find the face again.")
        geometry = whole_geometry(width, height)
        if framing != "resize":
            geometry = crop_geometry(points68(points).cpu().double().numpy(), width, height)
        _check_visible(geometry, width, height)
        box = geometry.extended if framing in EXTENDED_FRAMINGS else geometry.face
        pixels = square_picture(_eight_bits(picture), geometry, box, self.size)
        left, top, right, bottom = geometry.in_picture(box, width, height)
        if size == OWN_SIZE:
            frame = own_frame_size(right - left, bottom - top)
        else:
            frame = frame_size(self.size, geometry.proportions, size)
        crop = Crop(left, top, right, bottom, *frame)
        landmarks = landmarks_in_crop(points, replace(crop, width=self.size, height=self.size))
        alignment = align_landmarks(landmarks, self.size)
        face = self.regress(pixels, alignment, picture.device)
        place = landmarks.new_tensor((alignment.scale, alignment.x, alignment.y))
        cropped = torch.from_numpy(pixels).to(picture.device).permute(2, 0, 1) / 255
        return SourceFace(
            picture,
            cropped,
            crop,
            landmarks,
            face.identity[0],
            basis=BASIS,
            expression=face.expression[0],
            pose=face.pose[0],
            place=place if framing in PASTED_FRAMINGS else None,
        )

    def follow(self, first: SourceFace, picture: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """See ``face.extractor.Extractor``. As in the original, every frame is cut by the first one's box."""
        box = first.crop
        cut = picture[:, box.top : box.bottom, box.left : box.right]
        inside = points - points.new_tensor((box.left, box.top, 0.0))
        face = self.extract(cut, inside, framing="resize", size=self.size)
        return face.expression, face.pose

    def regress(self, pixels: Pixels, alignment: Alignment, device: torch.device) -> RegressedFace:
        """Coefficients, one row, of the face in a square picture (S, S, 3)."""
        aligned = torch.from_numpy(align_picture(pixels, alignment)).to(device)
        return split_coefficients(self.regressor(aligned.permute(2, 0, 1)[None] / 255))


def align_landmarks(landmarks: Tensor, side: int) -> Alignment:
    """Alignment of a square picture of ``side`` pixels by its mesh points (478, 3), its pixels with y down."""
    upright = points68(landmarks).cpu().double().numpy()
    upright[:, 1] = side - 1 - upright[:, 1]
    return align_points(original_five_points(upright), side)


def frame_size(side: int, proportions: tuple[int, int], largest: int) -> tuple[int, int]:
    """Width and height of the frames, both even, that networks of ``side`` pixels make.

    Args:
        proportions: width and height whose ratio they have.
        largest: longer side that they may have.
    """
    height = int(side * proportions[1] / proportions[0])
    scale = min(1.0, largest / max(side, height))
    return even_length(side * scale), even_length(height * scale)


def own_frame_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the frames, both even, for a part of the picture of so many pixels."""
    longer = max(width, height)
    scale = own_size(longer) / longer
    return even_length(width * scale), even_length(height * scale)


def _eight_bits(picture: Tensor) -> Pixels:
    """(H, W, 3) of a picture (3, H, W) in [0, 1]."""
    levels = (picture * 255).round_().clamp_(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()


def _check_visible(geometry: CropGeometry, width: int, height: int) -> None:
    left, top, right, bottom = geometry.face
    if right - left < _SMALLEST_SIDE or bottom - top < _SMALLEST_SIDE:
        raise FaceNotFoundError(
            f"Of the face only {max(right - left, 0)}x{max(bottom - top, 0)} pixels lie inside the {width}x{height} "
            f"picture, at least {_SMALLEST_SIDE}x{_SMALLEST_SIDE} are needed. Use a larger picture with some room "
            "around the face."
        )
