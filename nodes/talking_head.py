"""Talking Head: the whole chain in one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.face.framing import FRAMINGS
from ..sadtalker_core.pipeline import TalkingHeadOptions, talking_head
from ..sadtalker_core.render.frames import frames_at_once
from . import inputs
from .convert import picture_from_image, video_from_frames, waveform_from_audio
from .host import HostedPack, check_choice, in_batches, largest_frame, progress, render_memory, to_device
from .load import hosted_open_pack, open_pack_fingerprint


class TalkingHeadNode(io.ComfyNode):
    """IMAGE, AUDIO -> VIDEO. Its options are the fields of ``TalkingHeadOptions``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerTalkingHead",
            display_name="Talking Head",
            category="SadTalker",
            description="Makes a portrait speak a recording. It does the same as the graph with one node for each "
            "stage.",
            inputs=[
                inputs.image(),
                inputs.audio(),
                inputs.framing(),
                inputs.size(),
                inputs.fps(),
                inputs.style(),
                inputs.seed("the head motion and the blinks"),
                inputs.expression_scale(),
                inputs.pose_scale(),
                inputs.blink(),
                inputs.still(),
                inputs.face_index(),
                inputs.other_pack(),
                inputs.watermark(),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The speaking portrait with its sound, for Save Video.")
            ],
        )

    @classmethod
    def validate_inputs(cls, framing: str | None = None) -> bool | str:
        return check_choice("framing", framing, FRAMINGS)

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> str:
        return open_pack_fingerprint()

    @classmethod
    def execute(
        cls, image: Tensor, audio: Mapping[str, Any], pack: HostedPack | None = None, **options: Any
    ) -> io.NodeOutput:
        picture, waveform = picture_from_image(image), waveform_from_audio(audio)
        pack = pack or hosted_open_pack()
        pixels = largest_frame(picture, options["size"])
        batch_size = frames_at_once(pack.core.renderer, pixels)
        memory = 4 * picture.nbytes + render_memory(pack.core.renderer, pixels, batch_size)
        device = pack.load(*pack.patchers, memory_required=memory)
        picture, waveform = picture.to(device), to_device(waveform, device)
        head = in_batches(
            lambda count: talking_head(
                pack.core,
                picture,
                waveform,
                TalkingHeadOptions(**options),
                batch_size=count,
                on_progress=progress(),
            ),
            batch_size,
        )
        return io.NodeOutput(video_from_frames(head.frames, head.fps, audio))
