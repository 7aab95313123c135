"""Talking Faces: several people in one picture, in one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.face.extract import FACE_ORDERS
from ..sadtalker_core.pipeline import TalkingHeadOptions
from ..sadtalker_core.render.frames import frames_at_once
from ..sadtalker_core.talking_faces import MOST_FACES, talking_faces
from . import inputs
from .convert import mixed_audio, picture_from_image, video_from_frames, waveform_from_audio
from .host import HostedPack, check_choice, in_batches, largest_frame, progress, render_memory, to_device
from .load import hosted_open_pack, open_pack_fingerprint


class TalkingFaces(io.ComfyNode):
    """IMAGE, AUDIO, AUDIO, … -> VIDEO."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerTalkingFaces",
            display_name="Talking Faces",
            category="SadTalker",
            description="Makes up to four people in one picture speak. Each has a recording of their own.",
            inputs=[
                inputs.image(),
                io.Audio.Input("audio_1", tooltip="What the first face says: one recording, any sample rate."),
                inputs.face_order("left to right"),
                inputs.size(),
                inputs.fps(),
                inputs.style(),
                inputs.seed("the head motion and the blinks, different for each face"),
                inputs.expression_scale(),
                inputs.pose_scale(),
                inputs.blink(),
                inputs.still(),
                *(_speech(number) for number in range(2, MOST_FACES + 1)),
                inputs.other_pack(),
                inputs.watermark(),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="The picture with all people speaking, and all voices mixed."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, face_order: str | None = None) -> bool | str:
        return check_choice("face_order", face_order, FACE_ORDERS)

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> str:
        return open_pack_fingerprint()

    @classmethod
    def execute(
        cls, image: Tensor, audio_1: Mapping[str, Any], face_order: str, pack: HostedPack | None = None, **values: Any
    ) -> io.NodeOutput:
        audios = [audio_1, *(values.pop(f"audio_{number}", None) for number in range(2, MOST_FACES + 1))]
        picture = picture_from_image(image)
        pack = pack or hosted_open_pack()
        pixels = largest_frame(picture, values["size"])
        batch_size = frames_at_once(pack.core.renderer, pixels)
        memory = 4 * picture.nbytes + render_memory(pack.core.renderer, pixels, batch_size)
        device = pack.load(*pack.patchers, memory_required=memory)
        picture = picture.to(device)
        speeches = [None if audio is None else to_device(waveform_from_audio(audio), device) for audio in audios]
        options = TalkingHeadOptions(**values)
        frames = in_batches(
            lambda count: talking_faces(
                pack.core, picture, speeches, options, face_order=face_order, batch_size=count, on_progress=progress()
            ),
            batch_size,
        )
        return io.NodeOutput(video_from_frames(frames, options.fps, mixed_audio(audios)))


def _speech(number: int) -> io.Input:
    return io.Audio.Input(
        f"audio_{number}",
        optional=True,
        tooltip=f"What face {number} says. If not connected, this face stays as it is. Shorter recordings are "
        "continued with silence.",
    )
