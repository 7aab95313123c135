"""Extract 3DMM from Video, Reference Motion, Reference Blink."""

from __future__ import annotations

import logging

from comfy_api.latest import Input, io
from torch import Tensor

from ..sadtalker_core.errors import SadTalkerError
from ..sadtalker_core.face.framing import FRAMINGS
from ..sadtalker_core.face.motion import MISSING, face_motion
from ..sadtalker_core.flow import BlinkCurve, Coefficients, MelWindows, SourceFace
from ..sadtalker_core.tracks.driving import DRIVING_PARTS, add_driving, hold_portrait, match_blink
from . import inputs, sockets
from .frames import frames_of_either
from .host import HostedPack, check_choice, progress

LOG = logging.getLogger(__name__)
BYTES_A_PIXEL = 100
"""Working memory per pixel of a frame: a few frames as floats, and the crops of the networks."""


class Extract3DMMFromVideo(io.ComfyNode):
    """PACK, VIDEO or IMAGE -> COEFFS, BLINK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExtract3DMMFromVideo",
            display_name="Extract 3DMM from Video",
            category="SadTalker/reference",
            description="Follows the face in a video and fits the 3D face model to every frame: head motion, "
            "expression and blinks.",
            inputs=[
                inputs.pack(),
                io.Combo.Input(
                    "framing",
                    options=list(FRAMINGS),
                    default=FRAMINGS[0],
                    tooltip="Which part of the video is used. The choices are the same as for the portrait in Extract "
                    "3DMM. The first frame with a face decides where this part is.",
                ),
                io.Combo.Input(
                    "missing",
                    options=list(MISSING),
                    default=MISSING[0],
                    tooltip="What to do with frames without a usable face. error: stop and name them. hold: repeat the "
                    "last face. skip: leave them out, which makes the track shorter.",
                ),
                inputs.images_fps(),
                inputs.video("The video, from Load Video. It is read frame by frame."),
                inputs.images(),
            ],
            outputs=[
                sockets.Coeffs.Output(display_name="coefficients", tooltip="Expression and head pose of each frame."),
                sockets.Blink.Output(display_name="blinks", tooltip="How far the eyes are closed in each frame."),
            ],
        )

    @classmethod
    def validate_inputs(cls, framing: str | None = None, missing: str | None = None) -> bool | str:
        checked = check_choice("framing", framing, FRAMINGS)
        return checked if checked is not True else check_choice("missing", missing, MISSING)

    @classmethod
    def execute(
        cls,
        pack: HostedPack,
        framing: str,
        missing: str,
        images_fps: float,
        video: Input.Video | None = None,
        images: Tensor | None = None,
    ) -> io.NodeOutput:
        frames = frames_of_either(video, images, images_fps)
        device = pack.load("landmarker", "extractor", memory_required=BYTES_A_PIXEL * frames.pixels)
        motion = face_motion(
            pack.core.landmarker,
            pack.core.extractor,
            frames.on(device),
            frames.fps,
            framing=framing,
            missing=missing,
            on_progress=progress(),
        )
        faceless = int((~motion.found).sum())
        if faceless:
            LOG.warning("%d of %d frames of the video show no usable face (%s).", faceless, len(motion.found), missing)
        return io.NodeOutput(motion.coefficients, motion.blink)


class ReferenceMotion(io.ComfyNode):
    """COEFFS, COEFFS or FACE -> COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerReferenceMotion",
            display_name="Reference Motion",
            category="SadTalker/reference",
            description="Adds the motion of a driving video to a track, or to the portrait at rest: motion relative to "
            "the first frame, so that the portrait keeps its own face and pose.",
            inputs=[
                inputs.coefficients("The driving track: the motion to add, from Extract 3DMM from Video.", "reference"),
                io.Combo.Input(
                    "part",
                    options=list(DRIVING_PARTS),
                    default=next(iter(DRIVING_PARTS)),
                    tooltip="Which part of the driving motion is added: the head motion, the expression, or both.",
                ),
                sockets.Coeffs.Input(
                    "coefficients",
                    optional=True,
                    tooltip="The track to which the motion is added, such as from PoseVAE. It sets the length and the "
                    "frame rate. A shorter driving track repeats from its start.",
                ),
                sockets.Face.Input(
                    "face",
                    optional=True,
                    tooltip="The portrait, used if coefficients is not connected. It then moves only as the driving "
                    "track does, for the same time.",
                ),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The track with the driving motion.")],
        )

    @classmethod
    def validate_inputs(cls, part: str | None = None) -> bool | str:
        return check_choice("part", part, tuple(DRIVING_PARTS))

    @classmethod
    def execute(
        cls,
        reference: Coefficients,
        part: str,
        coefficients: Coefficients | None = None,
        face: SourceFace | None = None,
    ) -> io.NodeOutput:
        if coefficients is None:
            if face is None:
                raise SadTalkerError("Connect coefficients, to which the motion is added, or the face of the portrait.")
            coefficients = hold_portrait(face.coefficients, reference)
        return io.NodeOutput(add_driving(coefficients, reference, part))


class ReferenceBlink(io.ComfyNode):
    """BLINK, MEL -> BLINK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerReferenceBlink",
            display_name="Reference Blink",
            category="SadTalker/reference",
            description="Brings the blinks of a driving video to the frame rate and the length of the speech, for "
            "ExpNet. They move only the eyelids.",
            inputs=[
                sockets.Blink.Input("blinks", tooltip="Blinks measured by Extract 3DMM from Video."),
                inputs.mel(),
            ],
            outputs=[
                sockets.Blink.Output(
                    display_name="blinks", tooltip="How far the eyes are closed, one number per frame."
                )
            ],
        )

    @classmethod
    def execute(cls, blinks: BlinkCurve, mel: MelWindows) -> io.NodeOutput:
        return io.NodeOutput(match_blink(blinks, len(mel), mel.fps))
