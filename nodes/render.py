"""MappingNet, Face Render."""

from __future__ import annotations

from comfy_api.latest import io

from ..sadtalker_core.flow import Coefficients, Keypoints, SourceFace
from ..sadtalker_core.render.frames import render_frames
from ..sadtalker_core.render.head_turn import head_turn
from . import inputs, sockets
from .convert import image_from_frames
from .host import HostedPack, in_batches, progress, render_memory, to_device, to_host

_TURNS = {"yaw": "Turn of the head to the side", "pitch": "Nod of the head", "roll": "Tilt of the head"}


class MappingNet(io.ComfyNode):
    """PACK, FACE, COEFFS -> KEYPOINTS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerMappingNet",
            display_name="MappingNet",
            category="SadTalker/render",
            description="Converts coefficients to the positions of the face points, in the portrait and in each frame.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                sockets.Coeffs.Input(
                    "coefficients", tooltip="A track with expression and pose, from Combine Coefficients."
                ),
                *(_angle(name, what) for name, what in _TURNS.items()),
            ],
            outputs=[
                sockets.Keypoints.Output(display_name="keypoints", tooltip="Points of the face, one set per frame.")
            ],
        )

    @classmethod
    def execute(
        cls,
        pack: HostedPack,
        face: SourceFace,
        coefficients: Coefficients,
        yaw: str = "",
        pitch: str = "",
        roll: str = "",
    ) -> io.NodeOutput:
        turn = head_turn(len(coefficients), yaw, pitch, roll)
        device = pack.load("mapping")
        keypoints = pack.core.mapping.keypoints(to_device(face, device), to_device(coefficients, device), turn)
        return io.NodeOutput(to_host(keypoints))


def _angle(name: str, what: str) -> io.Input:
    return io.String.Input(
        name,
        default="",
        optional=True,
        tooltip=f"{what} in degrees, instead of the angle in the coefficients: one number, or several that the head "
        "passes through at constant speed, such as -20 30 10. If empty, the coefficients are used.",
    )


class FaceRender(io.ComfyNode):
    """PACK, FACE, KEYPOINTS -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerFaceRender",
            display_name="Face Render",
            category="SadTalker/render",
            description="Renders the portrait once for each set of points. The results are the frames of the video.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                sockets.Keypoints.Input("keypoints", tooltip="Points of the face in each frame, from MappingNet."),
                io.Int.Input(
                    "batch_size",
                    default=4,
                    min=1,
                    max=256,
                    tooltip="Number of frames rendered at once. More can be faster and needs more memory. If the "
                    "memory is too small, the number is halved automatically. The frames do not depend on it.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The frames, for Create Video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
            ],
        )

    @classmethod
    def execute(cls, pack: HostedPack, face: SourceFace, keypoints: Keypoints, batch_size: int) -> io.NodeOutput:
        memory = render_memory(pack.core.renderer, face.cropped[0].numel(), batch_size)
        device = pack.load("renderer", memory_required=memory)
        face, keypoints = to_device(face, device), to_device(keypoints, device)
        frames = in_batches(
            lambda count: render_frames(pack.core.renderer, face, keypoints, batch_size=count, on_progress=progress()),
            batch_size,
        )
        return io.NodeOutput(image_from_frames(to_host(frames)), keypoints.fps)
