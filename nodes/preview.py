"""Preview Coefficients, Preview Keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy_api.latest import io

from ..sadtalker_core.flow import Coefficients, Keypoints
from ..sadtalker_core.tracks.channels import channels
from ..sadtalker_core.tracks.matching import check_track
from ..sadtalker_core.tracks.plot import MAX_SIDE, MIN_HEIGHT, MIN_WIDTH, plot_channels
from ..sadtalker_core.tracks.turning_view import LARGEST_VIEW, SMALLEST_VIEW, turning_view
from . import inputs, sockets
from .convert import image_from_frames, waveform_from_audio
from .host import HostedPack, progress, to_host


class PreviewCoefficients(io.ComfyNode):
    """COEFFS, AUDIO, PACK -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerPreviewCoefficients",
            display_name="Preview Coefficients",
            category="SadTalker/edit",
            description="Draws a motion as curves over time, to check it before the frames are rendered.",
            inputs=[
                inputs.coefficients("The track to draw."),
                _side("width", 1024, MIN_WIDTH),
                _side("height", 512, MIN_HEIGHT),
                io.Audio.Input(
                    "audio", optional=True, tooltip="The speech, drawn below the curves on the same time axis."
                ),
                inputs.open_pack("how far mouth and eyes are open"),
            ],
            outputs=[io.Image.Output(display_name="plot", tooltip="One picture, for Preview Image.")],
        )

    @classmethod
    def execute(
        cls,
        coefficients: Coefficients,
        width: int,
        height: int,
        audio: Mapping[str, Any] | None = None,
        pack: HostedPack | None = None,
    ) -> io.NodeOutput:
        check_track(coefficients)
        waveform = None if audio is None else waveform_from_audio(audio)
        curves = channels(coefficients, None if pack is None else pack.load_vertices())
        picture = plot_channels(curves, waveform, width=width, height=height)
        return io.NodeOutput(to_host(image_from_frames(picture[None])))


class PreviewKeypoints(io.ComfyNode):
    """KEYPOINTS -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerPreviewKeypoints",
            display_name="Preview Keypoints",
            category="SadTalker/edit",
            description="Draws the face in 3D, turning slowly, to check lips, eyelids and head motion before the "
            "portrait is rendered.",
            inputs=[
                sockets.Keypoints.Input("keypoints", tooltip="Points of the face in each frame, from MappingNet."),
                io.Int.Input(
                    "size",
                    default=512,
                    min=SMALLEST_VIEW,
                    max=LARGEST_VIEW,
                    step=2,
                    tooltip="Width and height of the pictures in pixels.",
                ),
                io.Float.Input(
                    "swing",
                    default=35.0,
                    min=0.0,
                    max=90.0,
                    step=1.0,
                    tooltip="Angle in degrees by which the view turns to each side, in a cycle of six seconds. 0 looks "
                    "straight on.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="frames", tooltip="The pictures, for Create Video or Preview Image."),
                io.Float.Output(display_name="fps", tooltip="Pictures per second, for Create Video."),
            ],
        )

    @classmethod
    def execute(cls, keypoints: Keypoints, size: int, swing: float) -> io.NodeOutput:
        frames = turning_view(keypoints, size=size, swing=swing, on_progress=progress())
        return io.NodeOutput(image_from_frames(frames), keypoints.fps)


def _side(name: str, default: int, smallest: int) -> io.Input:
    return io.Int.Input(
        name,
        default=default,
        min=smallest,
        max=MAX_SIDE,
        step=2,
        tooltip=f"{name.capitalize()} of the picture in pixels.",
    )
