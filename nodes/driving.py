"""Extract 3DMM from Video, Reference Motion, Reference Blink."""

from __future__ import annotations

import logging

from comfy_api.latest import Input, io
from torch import Tensor

from ..sadtalker_core.errors import SadTalkerError
from ..sadtalker_core.face.framing import FRAMINGS
from ..sadtalker_core.face.motion import MISSING, face_motion
from ..sadtalker_core.flow import BlinkCurve, Coefficients, MelWindows, SourceFace
from ..sadtalker_core.tracks.driving import PARTS, add_driving, hold_portrait, match_blink
from . import inputs, sockets
from .frames import frames_of_either
from .host import HostedPack, check_choice, progress

LOG = logging.getLogger(__name__)
BYTES_A_PIXEL = 100
"""Working memory for one pixel of a frame: some frames as numbers, and what the networks cut out of them."""


class Extract3DMMFromVideo(io.ComfyNode):
    """PACK, VIDEO or IMAGE -> COEFFS, BLINK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExtract3DMMFromVideo",
            display_name="Extract 3DMM from Video",
            category="SadTalker/reference",
            description="Follows the face in a video and fits the 3D face model to every frame: how the head moves, "
            "what the face does, and when the eyes blink.",
            inputs=[
                inputs.pack(),
                io.Combo.Input(
                    "framing",
                    options=list(FRAMINGS),
                    default=FRAMINGS[0],
                    tooltip="Which part of the video is looked at: the same choice as in the portrait's Extract 3DMM. "
                    "The first frame with a face decides where it lies.",
                ),
                io.Combo.Input(
                    "missing",
                    options=list(MISSING),
                    default=MISSING[0],
                    tooltip="What to do with frames that show no usable face. error: stop and say which. hold: repeat "
                    "the last face. skip: leave them out, which makes the track shorter.",
                ),
                inputs.images_fps(),
                inputs.video("The video, from Load Video; read frame by frame."),
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
            description="Adds the motion of a reference, such as a video's, to a track or to the portrait at rest. "
            "What counts is how the reference leaves its first frame, so that the portrait stays itself.",
            inputs=[
                inputs.coefficients("The motion to add, from Extract 3DMM from Video.", "reference"),
                io.Combo.Input(
                    "part",
                    options=list(PARTS),
                    default=next(iter(PARTS)),
                    tooltip="What of the reference is added: its head motion, its expression, or both.",
                ),
                sockets.Coeffs.Input(
                    "coefficients",
                    optional=True,
                    tooltip="The track that the motion is added to, such as PoseVAE's. It decides the length and the "
                    "frame rate; a shorter reference starts again.",
                ),
                sockets.Face.Input(
                    "face",
                    optional=True,
                    tooltip="Without a track: the portrait, which then moves as the reference alone, as long as that.",
                ),
            ],
            outputs=[
                sockets.Coeffs.Output(display_name="coefficients", tooltip="The track with the reference's motion.")
            ],
        )

    @classmethod
    def validate_inputs(cls, part: str | None = None) -> bool | str:
        return check_choice("part", part, tuple(PARTS))

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
                raise SadTalkerError("Connect coefficients to add the motion to, or the face of the portrait.")
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
            description="Gives the blinks of a video the frame rate and the length of the speech, for ExpNet. They "
            "move the eyelids and nothing else.",
            inputs=[
                sockets.Blink.Input("blinks", tooltip="Blinks measured by Extract 3DMM from Video."),
                inputs.mel(),
            ],
            outputs=[
                sockets.Blink.Output(display_name="blinks", tooltip="How far the eyes are closed, one number a frame.")
            ],
        )

    @classmethod
    def execute(cls, blinks: BlinkCurve, mel: MelWindows) -> io.NodeOutput:
        return io.NodeOutput(match_blink(blinks, len(mel), mel.fps))
