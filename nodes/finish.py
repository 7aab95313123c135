"""Paste Back, Cut Out."""

from __future__ import annotations

import torch
from comfy_api.latest import io
from torch import Tensor

from ..sadtalker_core.finish.place.cut_out import cut_out
from ..sadtalker_core.finish.place.paste import paste_back, show_through
from ..sadtalker_core.flow import SourceFace
from . import inputs
from .convert import frames_from_image, image_from_frames, masks_for, one_mask
from .host import progress, to_host


class PasteBack(io.ComfyNode):
    """FACE, IMAGE -> IMAGE, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerPasteBack",
            display_name="Paste Back",
            category="SadTalker/finish",
            description="Puts rendered frames back into the picture that they were cut from, without a visible edge.",
            inputs=[
                inputs.face(),
                io.Image.Input("frames", tooltip="The rendered frames, from Face Render."),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="Frames of the whole picture to paste into, such as from another Paste Back, so that "
                    "several faces speak in one picture. If frames and background differ in length, the shorter one "
                    "holds its last frame. If not connected, the portrait is used.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the pasted frames are visible, in the size of the picture: 1 fully, 0 not at all. "
                    "One mask for all frames, or one for each frame.",
                ),
                io.Boolean.Input(
                    "moves_surroundings",
                    default=True,
                    optional=True,
                    tooltip="Whether neck, shoulders and hair around the pasted box follow the motion in it. In the "
                    "original SadTalker they do not move.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The whole picture, once for each frame."),
                io.Mask.Output(display_name="mask", tooltip="Where the frames were pasted: 1 inside, 0 outside."),
            ],
        )

    @classmethod
    def execute(
        cls,
        face: SourceFace,
        frames: Tensor,
        background: Tensor | None = None,
        mask: Tensor | None = None,
        moves_surroundings: bool = True,
    ) -> io.NodeOutput:
        behind = None if background is None else frames_from_image(background)
        masks = None if mask is None else masks_for(mask, *face.picture.shape[1:])
        if face.shows_whole_picture:  # as the open pack's full framings render it: nothing to paste into
            if masks is None:
                return io.NodeOutput(frames, torch.ones(1, *frames.shape[1:3]))
            pasted, where = show_through(face, frames_from_image(frames), masks, behind)
        else:
            pasted, where = paste_back(
                face,
                frames_from_image(frames),
                background=behind,
                mask=masks,
                moves_surroundings=moves_surroundings,
                on_progress=progress(),
            )
        # Encoders need even sides; a picture of odd size loses its last row or column.
        height, width = (length // 2 * 2 for length in where.shape)
        pasted, where = pasted[..., :height, :width], where[None, :height, :width]
        return io.NodeOutput(image_from_frames(to_host(pasted)), to_host(where))


class CutOut(io.ComfyNode):
    """FACE, IMAGE -> IMAGE, MASK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerCutOut",
            display_name="Cut Out",
            category="SadTalker/finish",
            description="Removes the background behind the speaking person, for transparent videos or another "
            "background.",
            inputs=[
                inputs.face(),
                io.Image.Input("frames", tooltip="The frames, from Face Render, Paste Back or Enhance."),
                io.Mask.Input(
                    "person",
                    optional=True,
                    tooltip="Where the person is in the portrait, in the size of the portrait: 1 is the person, 0 the "
                    "background. Any node that makes masks can give it, or you can paint it. If not connected, the "
                    "person is found from the face.",
                ),
                io.Image.Input(
                    "background",
                    optional=True,
                    tooltip="A picture, or frames, to put behind the person. It is cropped to the shape of the frames. "
                    "If there are too few, the last one stays.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames", tooltip="The person on black, or in front of the new background."
                ),
                io.Mask.Output(
                    display_name="mask",
                    tooltip="1 where the person is, 0 elsewhere, for each frame. Invert it for Join Image with Alpha.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, face: SourceFace, frames: Tensor, person: Tensor | None = None, background: Tensor | None = None
    ) -> io.NodeOutput:
        cut, mask = cut_out(
            face,
            frames_from_image(frames),
            person=None if person is None else one_mask(person, *face.picture.shape[1:]),
            background=None if background is None else frames_from_image(background),
            on_progress=progress(),
        )
        return io.NodeOutput(image_from_frames(to_host(cut)), to_host(mask))
