"""Dub Video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from comfy_api.latest import Input, io
from torch import Tensor

from ..sadtalker_core.dub_video import LENGTHS, DubOptions, dub
from ..sadtalker_core.face.framing import MAX_SIZE
from ..sadtalker_core.face.motion import MISSING
from ..sadtalker_core.finish.watermark.invisible import carries_mark, mark_pattern
from ..sadtalker_core.finish.watermark.payload import DEFAULT_MESSAGE
from . import inputs
from .convert import waveform_from_audio
from .encode import video_from_pictures
from .frames import frames_of_either
from .host import HostedPack, check_choice, progress, render_memory, to_device
from .load import hosted_open_pack, open_pack_fingerprint


class DubVideo(io.ComfyNode):
    """VIDEO or IMAGE, AUDIO -> VIDEO. Its options are the fields of ``DubOptions``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerDubVideo",
            display_name="Dub Video",
            category="SadTalker",
            description="Makes the person in a video speak the words of a recording. Mouth, jaw and cheeks are redrawn "
            "in every frame. Head, eyes, body and background stay as they are in the video.",
            inputs=[
                inputs.audio(),
                io.Combo.Input(
                    "length",
                    options=list(LENGTHS),
                    default=LENGTHS[0],
                    tooltip="speech: the result is as long as the recording. A shorter video plays forwards and "
                    "backwards; a longer one is cut. video: the result is as long as the video. After a shorter "
                    "recording the mouth rests; a longer recording is cut.",
                ),
                io.Combo.Input(
                    "missing",
                    options=list(MISSING),
                    default=MISSING[0],
                    tooltip="What to do with frames without a usable face. error: stop and name them. hold: draw the "
                    "mouth where the face was last. skip: leave the frame as it is.",
                ),
                inputs.expression_scale(),
                io.Int.Input(
                    "face_index",
                    default=0,
                    min=0,
                    max=99,
                    tooltip="Which face speaks if there are several. 0 is the largest in the first frame with faces. "
                    "The same person is followed from there.",
                ),
                inputs.images_fps(),
                inputs.video("The video, from Load Video. It is read frame by frame."),
                inputs.images(),
                inputs.other_pack(),
                inputs.watermark(),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video", tooltip="The dubbed video with the recording as its sound, for Save Video."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, length: str | None = None, missing: str | None = None) -> bool | str:
        checked = check_choice("length", length, LENGTHS)
        return checked if checked is not True else check_choice("missing", missing, MISSING)

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> str:
        return open_pack_fingerprint()

    @classmethod
    def execute(
        cls,
        audio: Mapping[str, Any],
        images_fps: float,
        video: Input.Video | None = None,
        images: Tensor | None = None,
        pack: HostedPack | None = None,
        watermark: bool = True,
        **options: Any,
    ) -> io.NodeOutput:
        frames, waveform = frames_of_either(video, images, images_fps), waveform_from_audio(audio)
        pack = pack or hosted_open_pack()
        memory = render_memory(pack.core.renderer, min(frames.pixels, MAX_SIZE**2), 1)
        device = pack.load(*pack.patchers, memory_required=memory)
        pictures = dub(
            pack.core,
            frames.on(device),
            frames.fps,
            to_device(waveform, device),
            DubOptions(**options),
            on_progress=progress(),
        )
        return io.NodeOutput(video_from_pictures(_marked(pictures) if watermark else pictures, frames.fps, audio))


def _marked(pictures: Iterable[Tensor]) -> Iterator[Tensor]:
    """Pictures (3, H, W) with the invisible mark, if they are large enough for it."""
    pattern: Tensor | None = None
    for picture in pictures:
        if not carries_mark(*picture.shape[1:]):
            yield picture
            continue
        if pattern is None:
            pattern = mark_pattern(DEFAULT_MESSAGE, *picture.shape[1:]).to(picture)
        yield (picture + pattern).clamp(0, 1)
