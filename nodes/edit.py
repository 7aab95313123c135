"""Combine, Edit, Mix Coefficients."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..sadtalker_core.flow import Coefficients, MelWindows, SourceFace
from ..sadtalker_core.tracks.edit import EXTENSIONS, FASTEST, MAX_FRAMES, SLOWEST, TrackEdit, edit_track
from ..sadtalker_core.tracks.mix import PARTS, blend, join
from ..sadtalker_core.tracks.scale import combine
from . import inputs, sockets
from .host import HostedPack, check_choice, to_device, to_host

WAYS = ("blend", "crossfade", "concatenate")
"""How two tracks are mixed."""
ANGLES = {"pitch": "nod", "yaw": "turn to the side", "roll": "tilt"}


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


class EditCoefficients(io.ComfyNode):
    """COEFFS -> COEFFS. Its values are the fields of ``TrackEdit``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerEditCoefficients",
            display_name="Edit Coefficients",
            category="SadTalker/edit",
            description="Makes a motion stronger or weaker, turned, smoother, faster, of another frame rate or length. "
            "As it comes, it changes nothing.",
            inputs=[
                inputs.coefficients("The track to change."),
                inputs.expression_scale(),
                inputs.pose_scale(),
                *(_offset(name, what) for name, what in ANGLES.items()),
                _smoothing("expression", "the face"),
                _smoothing("pose", "the head"),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=SLOWEST,
                    max=FASTEST,
                    step=0.05,
                    tooltip="How fast the motion runs: 2 takes half the time, 0.5 twice the time.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=120.0,
                    step=0.01,
                    tooltip="Frames a second of the result, at the same speed of motion. 0 keeps the track's.",
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=MAX_FRAMES,
                    tooltip="Length of the result: fewer frames cut the end off, more go on as the extension says. 0 "
                    "keeps all.",
                ),
                io.Combo.Input(
                    "extension",
                    options=list(EXTENSIONS),
                    default=EXTENSIONS[0],
                    tooltip="What follows the end of a track that is too short. hold: the last frame stands still. "
                    "loop: it starts again. ping-pong: it runs back and forth, without a jump.",
                ),
                sockets.Mel.Input(
                    "mel", optional=True, tooltip="Speech whose frame rate and length the result takes instead."
                ),
                sockets.Face.Input(
                    "face",
                    optional=True,
                    tooltip="The portrait, whose own face and pose a scale of 0 gives. Without it: the track's first "
                    "frame.",
                ),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The changed track.")],
        )

    @classmethod
    def validate_inputs(cls, extension: str | None = None) -> bool | str:
        return check_choice("extension", extension, EXTENSIONS)

    @classmethod
    def execute(
        cls, coefficients: Coefficients, mel: MelWindows | None = None, face: SourceFace | None = None, **values: Any
    ) -> io.NodeOutput:
        if mel is not None:
            values |= {"fps": mel.fps, "frames": len(mel)}
        portrait = None if face is None else face.coefficients
        return io.NodeOutput(edit_track(coefficients, TrackEdit(**values), portrait))


class MixCoefficients(io.ComfyNode):
    """COEFFS, COEFFS -> COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerMixCoefficients",
            display_name="Mix Coefficients",
            category="SadTalker/edit",
            description="Takes part of a motion from another one, or lets one follow the other.",
            inputs=[
                inputs.coefficients("The track to start from.", "first"),
                inputs.coefficients("The other track.", "second"),
                io.Combo.Input(
                    "way",
                    options=list(WAYS),
                    default=WAYS[0],
                    tooltip="blend: both at the same time, frame by frame. crossfade: the second after the first, "
                    "passing from one into the other. concatenate: the second after the first, with a cut.",
                ),
                io.Combo.Input(
                    "part",
                    options=list(PARTS),
                    default=PARTS[0],
                    tooltip="For blend: what the second track gives. mouth, eyes and brows need the open networks "
                    "(connect the pack).",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="For blend: share of the second track in that part. 0 is the first, 1 the second.",
                ),
                io.Float.Input(
                    "overlap",
                    default=0.4,
                    min=0.0,
                    max=60.0,
                    step=0.05,
                    tooltip="For crossfade: seconds in which the first track passes into the second.",
                ),
                inputs.open_pack("which vertices are mouth, eyes and brows"),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The mixed track.")],
        )

    @classmethod
    def validate_inputs(cls, way: str | None = None, part: str | None = None) -> bool | str:
        checked = check_choice("way", way, WAYS)
        return checked if checked is not True else check_choice("part", part, PARTS)

    @classmethod
    def execute(
        cls,
        first: Coefficients,
        second: Coefficients,
        way: str,
        part: str,
        weight: float,
        overlap: float,
        pack: HostedPack | None = None,
    ) -> io.NodeOutput:
        if way != "blend":
            return io.NodeOutput(join(first, second, overlap if way == "crossfade" else 0.0))
        if pack is None:
            return io.NodeOutput(blend(first, second, weight, part))
        model = pack.load_vertices()
        if model is not None:
            first, second = to_device(first, model.mean.device), to_device(second, model.mean.device)
        return io.NodeOutput(to_host(blend(first, second, weight, part, model)))


def _offset(name: str, what: str) -> io.Input:
    return io.Float.Input(
        name,
        default=0.0,
        min=-60.0,
        max=60.0,
        step=0.5,
        tooltip=f"Degrees added to the head's {what} in every frame.",
    )


def _smoothing(stream: str, what: str) -> io.Input:
    return io.Float.Input(
        f"{stream}_smoothing",
        default=0.0,
        min=0.0,
        max=5.0,
        step=0.02,
        tooltip=f"Seconds over which the motion of {what} is averaged: 0.2 takes trembling away, more makes it slow.",
    )
