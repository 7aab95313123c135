"""Paste Back."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.finish.paste import paste_back
from ..sadtalker_core.flow import SourceFace
from . import inputs
from .convert import frames_from_image, image_from_frames
from .host import progress, to_host


class PasteBack(io.ComfyNode):
    """FACE, IMAGE -> IMAGE, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerPasteBack",
            display_name="Paste Back",
            category="SadTalker/finish",
            description="Lays rendered frames back into the picture they were cut from, without a visible edge.",
            inputs=[
                inputs.face(),
                io.Image.Input("frames", tooltip="The rendered frames, from Face Render."),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The whole picture, once for each frame."),
                io.Mask.Output(display_name="mask", tooltip="Where the frames were laid: 1 inside, 0 outside."),
            ],
        )

    @classmethod
    def execute(cls, face: SourceFace, frames: Tensor) -> io.NodeOutput:
        if face.shows_whole_picture:  # as the open pack's full framings render it: nothing to paste into
            return io.NodeOutput(frames, torch.ones(1, *frames.shape[1:3]))
        pasted, mask = paste_back(face, frames_from_image(frames), on_progress=progress())
        # Encoders need even sides; a picture of odd size loses its last row or column.
        height, width = (length // 2 * 2 for length in mask.shape)
        pasted, mask = pasted[..., :height, :width], mask[None, :height, :width]
        return io.NodeOutput(image_from_frames(to_host(pasted)), to_host(mask))
