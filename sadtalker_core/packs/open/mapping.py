"""The open pack's MappingNet: the 3DMM itself turns coefficients into posed vertices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...checks import check_basis
from ...errors import SadTalkerError
from ...face.morphable import MorphableModel, fitted_camera, from_picture_frame, own_vertices, pose_points
from ...flow import Coefficients, HeadTurn, Keypoints, SourceFace


class MeshMapping(nn.Module):
    """Coefficients -> 478 vertices in pixels of the cropped portrait."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        self.model = model

    def keypoints(self, face: SourceFace, coefficients: Coefficients, turn: HeadTurn | None = None) -> Keypoints:
        """Pose the portrait's own vertices, moved by the difference of the driving and its own expression.

        The part of the portrait's shape that the model cannot explain stays, so that driving it with its own
        coefficients gives back the landmarks exactly. In ``turn`` a positive yaw turns the nose to the picture's right,
        a positive pitch turns it down, and a positive roll turns the head counterclockwise in the picture.

        Raises:
            BasisMismatchError: face or coefficients live in another basis.
            SadTalkerError: the expression or the pose stream is missing.
        """
        check_basis("MappingNet", self.model.basis, coefficients.basis)
        check_basis("MappingNet", self.model.basis, face.basis)
        if coefficients.expression is None or coefficients.pose is None:
            raise SadTalkerError(
                "MappingNet needs expression and pose. Join those of ExpNet and PoseVAE with Combine Coefficients."
            )
        width, height = face.crop.width, face.crop.height
        camera = fitted_camera(face)
        shape = own_vertices(face) + self.model.offsets(coefficients.expression - face.expression)
        # The alignment leaves a depth offset that a weak perspective camera does not see; put it back afterwards.
        posed = pose_points(shape, _turned(coefficients.pose, turn), camera.scale.expand(len(coefficients)))
        posed = posed + camera.translation[:, None, :] * posed.new_tensor((0.0, 0.0, 1.0))
        return Keypoints(face.landmarks, from_picture_frame(posed, width, height), coefficients.fps)


def _turned(pose: Tensor, turn: HeadTurn | None) -> Tensor:
    if turn is None:
        return pose
    columns = list(pose.unbind(1))
    for column, angle in enumerate((turn.pitch, turn.yaw, turn.roll)):
        if angle is not None:
            columns[column] = angle.to(pose).deg2rad()
    return torch.stack(columns, 1)
