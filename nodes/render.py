"""MappingNet, Face Render."""

from __future__ import annotations

from comfy_api.latest import io

from ..sadtalker_core.facerender.render import render_frames
from ..sadtalker_core.flow import Coefficients, Keypoints, SourceFace
from . import inputs, sockets
from .convert import image_from_frames
from .host import HostedPack, in_batches, progress, render_memory, to_device, to_host


class MappingNet(io.ComfyNode):
    """PACK, FACE, COEFFS -> KEYPOINTS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerMappingNet",
            display_name="MappingNet",
            category="SadTalker/render",
            description="Turns coefficients into the places of the face's points, in the portrait and in each frame.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                sockets.Coeffs.Input(
                    "coefficients", tooltip="A track with expression and pose, from Combine Coefficients."
                ),
            ],
            outputs=[
                sockets.Keypoints.Output(display_name="keypoints", tooltip="Points of the face, one set a frame.")
            ],
        )

    @classmethod
    def execute(cls, pack: HostedPack, face: SourceFace, coefficients: Coefficients) -> io.NodeOutput:
        device = pack.load("mapping")
        keypoints = pack.core.mapping.keypoints(to_device(face, device), to_device(coefficients, device))
        return io.NodeOutput(to_host(keypoints))


class FaceRender(io.ComfyNode):
    """PACK, FACE, KEYPOINTS -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerFaceRender",
            display_name="Face Render",
            category="SadTalker/render",
            description="Draws the portrait once for each set of points: the frames of the video.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                sockets.Keypoints.Input("keypoints", tooltip="Points of the face in each frame, from MappingNet."),
                io.Int.Input(
                    "batch_size",
                    default=4,
                    min=1,
                    max=256,
                    tooltip="Frames drawn at a time. More can be faster and needs more memory; it is halved by itself "
                    "when the memory does not suffice. The frames are the same.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The frames, for Create Video."),
                io.Float.Output(display_name="fps", tooltip="Frames a second, for Create Video."),
            ],
        )

    @classmethod
    def execute(cls, pack: HostedPack, face: SourceFace, keypoints: Keypoints, batch_size: int) -> io.NodeOutput:
        memory = render_memory(face.crop.width, face.crop.height, batch_size)
        device = pack.load("renderer", memory_required=memory)
        face, keypoints = to_device(face, device), to_device(keypoints, device)
        frames = in_batches(
            lambda count: render_frames(
                pack.core.renderer, face, keypoints, batch_size=count, on_progress=progress()
            ),
            batch_size,
        )
        return io.NodeOutput(image_from_frames(to_host(frames)), keypoints.fps)
