"""Extract 3DMM."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.face.extract import FACE_ORDERS, extract_face
from ..sadtalker_core.face.framing import FRAMINGS
from ..sadtalker_core.face.manual import points_from_text
from . import inputs, sockets
from .convert import image_from_frames, one_mask, picture_from_image
from .host import HostedPack, check_choice, to_host


class Extract3DMM(io.ComfyNode):
    """PACK, IMAGE -> FACE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExtract3DMM",
            display_name="Extract 3DMM",
            category="SadTalker/portrait",
            description="Finds the face in a portrait, crops the picture, and fits the 3D face model: identity, "
            "present expression and head pose.",
            inputs=[
                inputs.pack(),
                inputs.image(),
                inputs.framing(),
                inputs.size(),
                inputs.face_index("the first by face_order"),
                inputs.face_order(optional=True),
                io.Mask.Input(
                    "region",
                    optional=True,
                    tooltip="A mask painted over the face, from brows to chin. Use it if no face is found, or to "
                    "choose another one. With a mask, face_index is ignored.",
                ),
                io.String.Input(
                    "points",
                    default="",
                    optional=True,
                    tooltip="For a face that is still not found, such as in a drawing: the pixels x and y of the left "
                    "eye, the right eye, the tip of the nose, the left and the right corner of the mouth, as seen in "
                    "the picture; or of all 68 points in iBUG order. With points, face detection is skipped.",
                ),
            ],
            outputs=[
                sockets.Face.Output(
                    display_name="face", tooltip="The prepared portrait, for any number of recordings."
                ),
                io.Image.Output(display_name="crop", tooltip="The part of the picture that will be rendered."),
            ],
        )

    @classmethod
    def validate_inputs(cls, framing: str | None = None, face_order: str | None = None) -> bool | str:
        found = check_choice("framing", framing, FRAMINGS)
        return check_choice("face_order", face_order, FACE_ORDERS) if found is True else found

    @classmethod
    def execute(
        cls,
        pack: HostedPack,
        image: Tensor,
        framing: str,
        size: int,
        face_index: int,
        face_order: str = FACE_ORDERS[0],
        region: Tensor | None = None,
        points: str = "",
    ) -> io.NodeOutput:
        picture = picture_from_image(image)
        device = pack.load("landmarker", "extractor", memory_required=4 * picture.nbytes)
        face = extract_face(
            pack.core.landmarker,
            pack.core.extractor,
            picture.to(device),
            face_index=face_index,
            framing=framing,
            size=size,
            face_order=face_order,
            region=None if region is None else one_mask(region, *picture.shape[1:]).to(device),
            points=points_from_text(points) if points.strip() else None,
        )
        face = to_host(face)
        return io.NodeOutput(face, image_from_frames(face.cropped[None]))
