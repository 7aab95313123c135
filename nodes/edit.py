"""Combine, Edit, Mix Coefficients."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..sadtalker_core.flow import Coefficients, MelWindows, SourceFace
from ..sadtalker_core.tracks.edit import EXTENSIONS, FASTEST, MAX_FRAMES, SLOWEST, TrackEdit, edit_track
from ..sadtalker_core.tracks.mix import BLEND_PARTS, blend, join
from ..sadtalker_core.tracks.scale import combine
from . import inputs, sockets
from .host import HostedPack, check_choice, to_device, to_host

WAYS = ("blend", "crossfade", "concatenate")
"""The ways to mix two tracks."""
_OFFSETS = {"pitch": "nod", "yaw": "turn to the side", "roll": "tilt"}


class CombineCoefficients(io.ComfyNode):
    """COEFFS, COEFFS -> COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerCombineCoefficients",
            display_name="Combine Coefficients",
            category="SadTalker/edit",
            description="Combines the expression of one track with the head pose of another.",
            inputs=[
                sockets.Coeffs.Input("expression", tooltip="The track that gives the expression, usually from ExpNet."),
                sockets.Coeffs.Input("pose", tooltip="The track that gives the head pose, usually from PoseVAE."),
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
            description="Changes a motion: its strength, head angles, smoothness, speed, frame rate or length. With "
            "its defaults it changes nothing.",
            inputs=[
                inputs.coefficients("The track to edit."),
                inputs.expression_scale(),
                inputs.pose_scale(),
                *(_offset(name, what) for name, what in _OFFSETS.items()),
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
                    tooltip="Frames per second of the result. The speed of the motion does not change. 0 keeps the "
                    "frame rate of the track.",
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=MAX_FRAMES,
                    tooltip="Number of frames of the result. With fewer frames the end is cut off; with more, "
                    "extension says what follows. 0 keeps all frames.",
                ),
                io.Combo.Input(
                    "extension",
                    options=list(EXTENSIONS),
                    default=EXTENSIONS[0],
                    tooltip="What follows the end of a track that is too short. hold: the last frame stays. loop: the "
                    "track repeats from its start. ping-pong: the track runs backwards and forwards, without a jump.",
                ),
                sockets.Mel.Input(
                    "mel",
                    optional=True,
                    tooltip="Speech that sets the frame rate and the length of the result. fps and frames are ignored.",
                ),
                sockets.Face.Input(
                    "face",
                    optional=True,
                    tooltip="The portrait. A scale of 0 gives its own expression and pose. If not connected, a scale "
                    "of 0 gives the first frame of the track.",
                ),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The edited track.")],
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
            description="Blends two motions, or parts of them, or puts one after the other.",
            inputs=[
                inputs.coefficients("The first track.", "first"),
                inputs.coefficients("The second track.", "second"),
                io.Combo.Input(
                    "way",
                    options=list(WAYS),
                    default=WAYS[0],
                    tooltip="blend: both at the same time, frame by frame. crossfade: the second after the first, with "
                    "a gradual transition. concatenate: the second after the first, with a cut.",
                ),
                io.Combo.Input(
                    "part",
                    options=list(BLEND_PARTS),
                    default=BLEND_PARTS[0],
                    tooltip="For blend: the part that is taken from the second track. mouth, eyes and brows need the "
                    "open networks; connect pack.",
                ),
                io.Float.Input(
                    "weight",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="For blend: weight of the second track in that part. 0 gives the first track, 1 the "
                    "second.",
                ),
                io.Float.Input(
                    "overlap",
                    default=0.4,
                    min=0.0,
                    max=60.0,
                    step=0.05,
                    tooltip="For crossfade: seconds of transition from the first track to the second.",
                ),
                inputs.open_pack("which vertices are mouth, eyes and brows"),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The mixed track.")],
        )

    @classmethod
    def validate_inputs(cls, way: str | None = None, part: str | None = None) -> bool | str:
        checked = check_choice("way", way, WAYS)
        return checked if checked is not True else check_choice("part", part, BLEND_PARTS)

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
        tooltip=f"Degrees added to the {what} of the head in every frame.",
    )


def _smoothing(stream: str, what: str) -> io.Input:
    return io.Float.Input(
        f"{stream}_smoothing",
        default=0.0,
        min=0.0,
        max=5.0,
        step=0.02,
        tooltip=f"Seconds over which the motion of {what} is averaged: 0.2 removes trembling, more makes the motion "
        "slow.",
    )
