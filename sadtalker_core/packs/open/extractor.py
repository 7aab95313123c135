"""The open pack's extractor: cut the picture, fit the 3DMM to the landmarks."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...errors import FaceNotFoundError
from ...face.crop import crop_picture, face_crop, landmarks_in_crop, whole_picture
from ...face.extract import MAX_TURN
from ...face.morphable import CAMERA_DISTANCE, MorphableModel
from ...flow import SourceFace

_CROP_HALF_WIDTH = {"crop": 1.6, "extcrop": 2.2}
"""Half the side of the crop in distances between the outer eye corners: head, hair and the top of the shoulders, or
more of the shoulders. The other framings render the whole picture."""


class MeshExtractor(nn.Module):
    """Landmarks -> coefficients in closed form, at the picture's own resolution."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        self.model = model

    def extract(self, picture: Tensor, points: Tensor, *, framing: str, size: int) -> SourceFace:
        """See ``face.extractor.Extractor``.

        Raises:
            FaceNotFoundError: the face is turned too far.
        """
        height, width = picture.shape[1:]
        radius = _CROP_HALF_WIDTH.get(framing)
        whole = radius is None
        crop = whole_picture(width, height, size) if whole else face_crop(points, width, height, size, radius)
        landmarks = landmarks_in_crop(points, crop)
        fit = self.model.fit(landmarks[None], crop.width, crop.height)
        yaw = float(fit.pose[0, 1])
        if abs(yaw) > MAX_TURN:
            raise FaceNotFoundError(
                f"The face is turned {abs(math.degrees(yaw)):.0f} degrees to the side; at most "
                f"{math.degrees(MAX_TURN):.0f} can be animated. Use a picture that shows both eyes and both mouth "
                "corners."
            )
        return SourceFace(
            picture,
            crop_picture(picture, crop),
            crop,
            landmarks,
            fit.identity[0],
            basis=self.model.basis,
            expression=fit.expression[0],
            pose=fit.pose[0],
            camera=fit.camera,
        )

    def follow(self, first: SourceFace, picture: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """See ``face.extractor.Extractor``. A face that has become larger since the first frame has come nearer (z)."""
        crop = first.crop
        both = torch.stack((first.landmarks, landmarks_in_crop(points, crop)))
        fit = self.model.fit(both, crop.width, crop.height)
        before, now = fit.camera.scale
        pose = fit.pose[1].clone()
        pose[5] = CAMERA_DISTANCE * (1 - before / now)
        return fit.expression[1], pose
