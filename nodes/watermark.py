"""Watermark, Detect Watermark."""

from __future__ import annotations

import torch
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ..sadtalker_core.errors import SadTalkerError
from ..sadtalker_core.finish.watermark.detector import FOUND, detect
from ..sadtalker_core.finish.watermark.invisible import SMALLEST_SIDE, mark_
from ..sadtalker_core.finish.watermark.payload import DEFAULT_MESSAGE, LONGEST_MESSAGE
from ..sadtalker_core.finish.watermark.visible import CORNERS, Placement, overlay_, text_logo
from ..sadtalker_core.progress import part_of
from .convert import frames_from_image, image_from_frames, one_mask
from .frames import frames_of_either
from .host import check_choice, progress, to_host


class Watermark(io.ComfyNode):
    """IMAGE -> IMAGE. Its values are the fields of ``Placement``."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        placement = Placement()
        return io.Schema(
            node_id="SadTalkerWatermark",
            display_name="Watermark",
            category="SadTalker/finish",
            description="Marks frames with an invisible message that Detect Watermark finds, with a text or a logo in "
            "a corner, or with both.",
            inputs=[
                io.Image.Input("images", tooltip="The finished frames, or a picture."),
                io.Boolean.Input(
                    "invisible",
                    default=True,
                    tooltip="Whether to hide a message in the colours. It survives video compression and a resize to "
                    f"75 %. The frames need at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels, or the same area.",
                ),
                io.String.Input(
                    "message",
                    default=DEFAULT_MESSAGE,
                    tooltip=f"The text of the invisible mark: 1 to {LONGEST_MESSAGE} letters (A to Z, a to z), digits, "
                    "hyphens or spaces.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    tooltip="A line of text to show in a corner, such as Made by AI. If empty, there is none.",
                ),
                io.Combo.Input(
                    "corner",
                    options=list(CORNERS),
                    default=placement.corner,
                    tooltip="In which corner the text or logo is shown.",
                ),
                io.Float.Input(
                    "opacity",
                    default=placement.opacity,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Opacity of the text or logo: 0 is invisible, 1 covers what is behind it.",
                ),
                io.Float.Input(
                    "size",
                    default=placement.size,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="Height of the text or logo as a fraction of the shorter side of the frame. If it would be "
                    "wider than the frame, it is reduced to fit.",
                ),
                io.Image.Input("logo", optional=True, tooltip="A picture to show in the corner, instead of the text."),
                io.Mask.Input(
                    "logo_mask",
                    optional=True,
                    tooltip="Where the logo is transparent: 1 fully, 0 not at all. Load Image gives this mask.",
                ),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The marked frames, in the same size.")],
        )

    @classmethod
    def validate_inputs(cls, corner: str | None = None) -> bool | str:
        return check_choice("corner", corner, CORNERS)

    @classmethod
    def execute(
        cls,
        images: Tensor,
        invisible: bool,
        message: str,
        text: str,
        logo: Tensor | None = None,
        logo_mask: Tensor | None = None,
        **placement: str | float,
    ) -> io.NodeOutput:
        frames, visible = frames_from_image(images).float().clone(), logo is not None or bool(text.strip())
        report, parts = progress(), visible + invisible
        if visible:
            shown = text_logo(text) if logo is None else _logo(logo, logo_mask)
            overlay_(frames, shown, Placement(**placement), on_progress=part_of(report, 0, parts))
        if invisible:  # last, so that nothing covers it
            mark_(frames, message, on_progress=part_of(report, parts - 1, parts))
        return io.NodeOutput(image_from_frames(to_host(frames)))


class DetectWatermark(io.ComfyNode):
    """VIDEO or IMAGE -> what its invisible mark says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerDetectWatermark",
            display_name="Detect Watermark",
            category="SadTalker/finish",
            description="Looks for the invisible mark of Talking Head, Talking Faces, Dub Video and Watermark in a "
            "video or in pictures.",
            is_output_node=True,
            inputs=[
                io.Image.Input("images", optional=True, tooltip="A picture, or frames of one video."),
                io.Video.Input("video", optional=True, tooltip="A video, such as from Load Video, instead of images."),
            ],
            outputs=[
                io.String.Output(
                    display_name="message",
                    tooltip="The text of the mark. It is empty if there is no mark or the mark is too faint.",
                ),
                io.Boolean.Output(display_name="found", tooltip="Whether there is a mark."),
                io.Float.Output(
                    display_name="score",
                    tooltip=f"How well the best message fits. {FOUND:.1f} or more means that there is a mark: fewer "
                    "than one unmarked video in a billion reaches this by chance.",
                ),
            ],
        )

    @classmethod
    def execute(cls, images: Tensor | None = None, video: Input.Video | None = None) -> io.NodeOutput:
        frames = frames_of_either(video, images, fps=1.0)
        report = progress()
        found = detect(frames, on_progress=lambda done, _: report(done, max(done, len(frames))))
        text = str(found)
        return io.NodeOutput(
            found.message or "", found.found, found.score, ui=ui.PreviewText(text[0].upper() + text[1:] + ".")
        )


def _logo(logo: Tensor, mask: Tensor | None) -> Tensor:
    """(4, h, w), colours and opacity, of an IMAGE and the MASK that Load Image gives with it."""
    if logo.ndim != 4 or logo.shape[0] != 1 or logo.shape[3] not in (3, 4) or 0 in logo.shape:
        raise SadTalkerError(f"Expected one picture with pixels as the logo, got the shape {tuple(logo.shape)}.")
    picture = logo[0].permute(2, 0, 1).float()
    if mask is not None and bool(mask.any()):  # without transparency Load Image gives an empty one of 64x64
        opacity = 1 - one_mask(mask, *picture.shape[1:])[None]
    else:
        opacity = picture[3:] if len(picture) == 4 else torch.ones_like(picture[:1])
    return torch.cat((picture[:3], opacity.to(picture.device)))
