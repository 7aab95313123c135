"""Combine Coefficients."""

from __future__ import annotations

from comfy_api.latest import io

from ..sadtalker_core.coefficients import combine
from ..sadtalker_core.flow import Coefficients
from . import sockets


class CombineCoefficients(io.ComfyNode):
    """COEFFS, COEFFS -> COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerCombineCoefficients",
            display_name="Combine Coefficients",
            category="SadTalker/edit",
            description="Joins the expression of one track with the head pose of another.",
            inputs=[
                sockets.Coeffs.Input("expression", tooltip="Track whose expression is taken, usually from ExpNet."),
                sockets.Coeffs.Input("pose", tooltip="Track whose head pose is taken, usually from PoseVAE."),
            ],
            outputs=[
                sockets.Coeffs.Output(display_name="coefficients", tooltip="One track with both, for MappingNet.")
            ],
        )

    @classmethod
    def execute(cls, expression: Coefficients, pose: Coefficients) -> io.NodeOutput:
        return io.NodeOutput(combine(expression, pose))
