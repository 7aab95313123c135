"""Expression Editor, Idle."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io, ui

from ..sadtalker_core.checks import check_basis
from ..sadtalker_core.controls.directions import action_directions
from ..sadtalker_core.controls.examples import draw_examples, read_examples
from ..sadtalker_core.controls.idle import LONGEST_IDLE_SECONDS, IdleOptions, idle_track
from ..sadtalker_core.controls.keyframes import curves_of, last_frame, read_keyframes
from ..sadtalker_core.controls.sliders import CONTROLS, LARGEST_SLIDER_ANGLE, apply_controls, gaze_asked_for
from ..sadtalker_core.errors import ControlError
from ..sadtalker_core.expnet.blink import BLINKS_PER_MINUTE, MAX_BLINKS_PER_MINUTE
from ..sadtalker_core.face.morphable import own_vertices
from ..sadtalker_core.flow import Coefficients, SourceFace
from ..sadtalker_core.render.frames import render_frames
from ..sadtalker_core.tracks.channels import ANGLES
from . import inputs, sockets
from .convert import image_from_frames
from .host import HostedPack, progress, render_memory, to_device, to_host
from .live_preview import SUBJECTS
from .load import hosted_open_pack

_TURNS = {
    "pitch": "Nod of the head in degrees: more looks down",
    "yaw": "Turn of the head in degrees: more turns to the right of the picture",
    "roll": "Tilt of the head in degrees: more tilts counterclockwise",
}
_KEYFRAMES = (
    "Values over time, one line for each keyframe: a time in seconds, or a frame such as 30f, then name=value for any "
    "sliders, for example: 1.5 happy=0.8 brows=0.3. e0 to e63 are single coefficients. A control named in a line "
    "overrides its slider; its value changes smoothly from line to line. If empty, only the sliders are used."
)


class ExpressionEditor(io.ComfyNode):
    """PACK, FACE, COEFFS -> COEFFS, IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExpressionEditor",
            display_name="Expression Editor",
            category="SadTalker/edit",
            description="Changes a face with sliders for emotions, brows, eyes, gaze, mouth and head. The change is "
            "applied to the portrait, or added to a motion. After the first run, the picture in the node follows the "
            "sliders.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                *(_slider(name, control.meaning, control.lowest, 1.0, 0.01) for name, control in CONTROLS.items()),
                *(_slider(name, _TURNS[name], -LARGEST_SLIDER_ANGLE, LARGEST_SLIDER_ANGLE, 0.5) for name in ANGLES),
                io.String.Input("keyframes", default="", multiline=True, tooltip=_KEYFRAMES),
                sockets.Coeffs.Input(
                    "coefficients",
                    optional=True,
                    tooltip="A motion to which the change is added, such as from ExpNet. If not connected, the "
                    "portrait's own face is changed, for as long as the keyframes last.",
                ),
            ],
            outputs=[
                sockets.Coeffs.Output(display_name="coefficients", tooltip="The edited motion, for MappingNet."),
                io.Image.Output(display_name="picture", tooltip="The portrait with the values of the sliders."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pack: HostedPack,
        face: SourceFace,
        keyframes: str,
        coefficients: Coefficients | None = None,
        **sliders: float,
    ) -> io.NodeOutput:
        check_basis("Expression Editor", pack.core.basis, face.basis)
        track = face.coefficients if coefficients is None else coefficients
        check_basis("Expression Editor", pack.core.basis, track.basis)
        lines = read_keyframes(keyframes, track.fps)
        frames = len(track) if coefficients is not None else last_frame(lines, track.fps) + 1
        fixed = {name: torch.full((frames,), value) for name, value in sliders.items()}
        curves = fixed | curves_of(lines, frames, track.fps)
        _check_can(pack, curves)
        directions = _directions(pack, face)
        memory = render_memory(pack.core.renderer, face.cropped[0].numel(), 1)
        device = pack.load("mapping", "renderer", memory_required=memory)
        face, directions = to_device(face, device), directions.to(device)
        fixed, curves = ({name: curve.to(device) for name, curve in each.items()} for each in (fixed, curves))
        changed = apply_controls(to_device(track, device), curves, directions)
        now = apply_controls(face.coefficients, {name: curve[:1] for name, curve in fixed.items()}, directions)
        keypoints = pack.core.mapping.keypoints(face, now)
        picture = to_host(image_from_frames(render_frames(pack.core.renderer, face, keypoints, batch_size=1)))
        token = SUBJECTS.add(pack, face, directions)
        shown = ui.PreviewImage(picture, cls=cls).as_dict() | {"sadtalker_preview": [token]}
        return io.NodeOutput(to_host(changed), picture, ui=shown)


class Idle(io.ComfyNode):
    """PACK, FACE -> COEFFS. Its values are the fields of ``IdleOptions``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerIdle",
            display_name="Idle",
            category="SadTalker/edit",
            description="Animates a portrait without speech: the head sways, and the eyes blink and look around.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                io.Float.Input(
                    "seconds",
                    default=8.0,
                    min=0.04,
                    max=LONGEST_IDLE_SECONDS,
                    step=0.1,
                    tooltip="Length of the motion in seconds.",
                ),
                inputs.fps(),
                inputs.style(),
                inputs.seed("one of many such motions"),
                inputs.pose_scale(),
                io.Float.Input(
                    "blink_rate",
                    default=BLINKS_PER_MINUTE,
                    min=0.0,
                    max=MAX_BLINKS_PER_MINUTE,
                    step=0.5,
                    tooltip="Average number of blinks per minute.",
                ),
                io.Float.Input(
                    "gaze",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Strength of the eye motion: the eyes stay on the viewer while the head turns, and look "
                    "away now and then. Only the open networks can move the eyes; with other networks it has no "
                    "effect.",
                ),
                io.Boolean.Input(
                    "loop", default=True, tooltip="Whether the end joins the start smoothly, for a video that repeats."
                ),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The motion, for MappingNet.")],
        )

    @classmethod
    def execute(cls, pack: HostedPack, face: SourceFace, **values: Any) -> io.NodeOutput:
        check_basis("Idle", pack.core.basis, face.basis)
        device = pack.load("expnet", "posevae")
        pack.load_vertices()
        track = idle_track(pack.core, to_device(face, device), IdleOptions(**values), on_progress=progress())
        return io.NodeOutput(to_host(track))


def _slider(name: str, meaning: str, lowest: float, highest: float, step: float) -> io.Input:
    return io.Float.Input(
        name,
        default=0.0,
        min=lowest,
        max=highest,
        step=step,
        display_mode=io.NumberDisplay.slider,
        tooltip=f"{meaning}. 0 changes nothing.",
    )


def _directions(pack: HostedPack, face: SourceFace) -> torch.Tensor:
    model = pack.load_vertices()
    if model is not None:
        return action_directions(model, own_vertices(to_device(face, model.mean.device)))
    # One pack after the other: a small graphics card may not have room for both.
    teacher = hosted_open_pack()
    examples = draw_examples(teacher.core, to_device(face, teacher.load("extractor", "mapping", "renderer")))
    return read_examples(pack.core, to_device(examples, pack.load("extractor")), on_progress=progress())


def _check_can(pack: HostedPack, curves: dict[str, torch.Tensor]) -> None:
    asked = gaze_asked_for(curves)
    if asked and pack.core.vertices is None:
        raise ControlError(
            f"The networks '{pack.core.name}' have no irises, so {' and '.join(asked)} cannot move the eyes. Choose "
            "the open networks in Load Models, or set the gaze to 0."
        )
