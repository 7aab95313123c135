"""The open pack's MappingNet: the 3DMM itself turns coefficients into posed vertices."""

from __future__ import annotations

from torch import Tensor, nn

from ...checks import check_basis
from ...errors import SadTalkerError
from ...face3d.morphable import MorphableModel, from_picture_frame, pose_points, to_picture_frame
from ...flow import Coefficients, Keypoints, SourceFace


class MeshMapping(nn.Module):
    """Coefficients -> 478 vertices in pixels of the cropped portrait."""

    def __init__(self, model: MorphableModel) -> None:
        super().__init__()
        self.model = model

    def keypoints(self, face: SourceFace, coefficients: Coefficients) -> Keypoints:
        """Pose the portrait's own vertices, moved by the difference of the driving and its own expression.

        The part of the portrait's shape that the model cannot explain stays, so that driving it with its own
        coefficients gives back the landmarks exactly.

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
        own_expression = _required(face.coefficients.expression)
        camera = self.model.align(
            to_picture_frame(face.landmarks, width, height)[None], face.identity[None], own_expression
        )
        own_shape = camera.invert(to_picture_frame(face.landmarks, width, height)[None])
        shape = own_shape + self.model.offsets(coefficients.expression - own_expression)
        # The alignment leaves a depth offset that a weak perspective camera does not see; put it back afterwards.
        posed = pose_points(shape, coefficients.pose, camera.scale.expand(len(coefficients)))
        posed = posed + camera.translation[:, None, :] * posed.new_tensor((0.0, 0.0, 1.0))
        return Keypoints(face.landmarks, from_picture_frame(posed, width, height), coefficients.fps)


def _required(stream: Tensor | None) -> Tensor:
    assert stream is not None  # SourceFace checks it
    return stream
