"""Extract 3DMM."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.face3d.extract import FRAMINGS, extract_face
from . import inputs, sockets
from .convert import image_from_frames, picture_from_image
from .host import HostedPack, check_choice, to_host


class Extract3DMM(io.ComfyNode):
    """PACK, IMAGE -> FACE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExtract3DMM",
            display_name="Extract 3DMM",
            category="SadTalker/portrait",
            description="Finds the face in a portrait, cuts the picture, and fits the 3D face model: who it is, how it "
            "looks now, and where it turns.",
            inputs=[inputs.pack(), inputs.image(), inputs.framing(), inputs.size(), inputs.face_index()],
            outputs=[
                sockets.Face.Output(
                    display_name="face", tooltip="The portrait, ready to be driven by any number of recordings."
                ),
                io.Image.Output(display_name="crop", tooltip="The part of the picture that will be rendered."),
            ],
        )

    @classmethod
    def validate_inputs(cls, framing: str | None = None) -> bool | str:
        return check_choice("framing", framing, FRAMINGS)

    @classmethod
    def execute(cls, pack: HostedPack, image: Tensor, framing: str, size: int, face_index: int) -> io.NodeOutput:
        picture = picture_from_image(image)
        device = pack.load("landmarker", "extractor", memory_required=4 * picture.nbytes)
        face = extract_face(pack.core, picture.to(device), face_index=face_index, framing=framing, size=size)
        face = to_host(face)
        return io.NodeOutput(face, image_from_frames(face.cropped[None]))
