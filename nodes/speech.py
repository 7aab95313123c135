"""Audio to Mel, ExpNet, PoseVAE, Blink."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from comfy_api.latest import io

from ..sadtalker_core.audio.windows import mel_windows
from ..sadtalker_core.checks import check_basis
from ..sadtalker_core.expnet.blink import (
    BLINKS_PER_MINUTE,
    MAX_BLINKS_PER_MINUTE,
    draw_from,
    original_blink,
    random_blink,
)
from ..sadtalker_core.flow import BlinkCurve, Coefficients, MelWindows, SourceFace
from ..sadtalker_core.tracks.driving import match_track
from ..sadtalker_core.tracks.matching import stream_of
from . import inputs, sockets
from .convert import waveform_from_audio
from .host import HostedPack, check_choice, progress, to_device, to_host

PATTERNS = ("natural", "original")


class AudioToMel(io.ComfyNode):
    """AUDIO -> MEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerAudioToMel",
            display_name="Audio to Mel",
            category="SadTalker/speech",
            description="Makes one short spectrogram of the speech for each video frame, as input for ExpNet and "
            "PoseVAE.",
            inputs=[inputs.audio(), inputs.fps()],
            outputs=[
                sockets.Mel.Output(display_name="mel", tooltip="One spectrogram window for each frame of the video.")
            ],
        )

    @classmethod
    def execute(cls, audio: Mapping[str, Any], fps: float) -> io.NodeOutput:
        return io.NodeOutput(to_host(mel_windows(waveform_from_audio(audio), fps)))


class ExpNetNode(io.ComfyNode):
    """PACK, MEL, FACE, BLINK -> COEFFS (expression)."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerExpNet",
            display_name="Speech to Expression (ExpNet)",
            category="SadTalker/speech",
            description="Predicts from the speech how the face moves: lips, jaw and cheeks, and the eyelids if blink "
            "is connected.",
            inputs=[
                inputs.pack(),
                inputs.mel(),
                inputs.face(),
                inputs.expression_scale(),
                sockets.Blink.Input(
                    "blink",
                    optional=True,
                    tooltip="When the eyes close, from Blink. If not connected, the eyes stay open.",
                ),
                sockets.Coeffs.Input(
                    "reference",
                    optional=True,
                    tooltip="The expressions of a driving video, from Extract 3DMM from Video. Each frame starts from "
                    "them instead of the portrait's own expression. The original SadTalker takes blinks from a video "
                    "in this way.",
                ),
            ],
            outputs=[
                sockets.Coeffs.Output(display_name="expression", tooltip="Expression coefficients, one row per frame.")
            ],
        )

    @classmethod
    def execute(
        cls,
        pack: HostedPack,
        mel: MelWindows,
        face: SourceFace,
        expression_scale: float,
        blink: BlinkCurve | None = None,
        reference: Coefficients | None = None,
    ) -> io.NodeOutput:
        check_basis("ExpNet", pack.core.basis, face.basis)
        device = pack.load("expnet")
        own = to_device(face.expression, device)
        start = None
        if reference is not None:
            check_basis("ExpNet", pack.core.basis, reference.basis)
            start = stream_of(match_track(to_device(reference, device), len(mel), mel.fps), "expression")
        track = pack.core.express(
            to_device(mel, device),
            own,
            to_device(blink, device),
            scale=expression_scale,
            start=start,
            on_progress=progress(),
        )
        return io.NodeOutput(to_host(track))


class PoseVAENode(io.ComfyNode):
    """PACK, MEL, FACE -> COEFFS (pose)."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerPoseVAE",
            display_name="Speech to Head Motion (PoseVAE)",
            category="SadTalker/speech",
            description="Generates a head motion that fits the speech, in one of several styles.",
            inputs=[
                inputs.pack(),
                inputs.mel(),
                inputs.face(),
                inputs.style(),
                inputs.seed("one of many head motions that fit the speech"),
                inputs.pose_scale(),
            ],
            outputs=[
                sockets.Coeffs.Output(
                    display_name="pose", tooltip="Rotation and position of the head, one row per frame."
                )
            ],
        )

    @classmethod
    def execute(
        cls, pack: HostedPack, mel: MelWindows, face: SourceFace, style: int, seed: int, pose_scale: float
    ) -> io.NodeOutput:
        check_basis("PoseVAE", pack.core.basis, face.basis)
        device = pack.load("posevae")
        track = pack.core.move_head(
            to_device(mel, device),
            to_device(face.pose, device),
            style,
            torch.Generator().manual_seed(seed),
            scale=pose_scale,
            on_progress=progress(),
        )
        return io.NodeOutput(to_host(track))


class Blink(io.ComfyNode):
    """MEL -> BLINK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerBlink",
            display_name="Blink",
            category="SadTalker/speech",
            description="Chooses at random when the eyes blink, at irregular intervals like a person who speaks.",
            inputs=[
                inputs.mel(),
                io.Float.Input(
                    "rate",
                    default=BLINKS_PER_MINUTE,
                    min=0.0,
                    max=MAX_BLINKS_PER_MINUTE,
                    step=0.5,
                    tooltip=f"Average number of blinks per minute: {BLINKS_PER_MINUTE:g} for a relaxed person, 0 for "
                    "none.",
                ),
                inputs.seed("when the eyes blink"),
                io.Combo.Input(
                    "pattern",
                    options=list(PATTERNS),
                    default=PATTERNS[0],
                    optional=True,
                    tooltip="natural: irregular, with different durations. original: as in the original SadTalker, "
                    "five frames per blink after 10 to 69 frames of open eyes; rate is ignored.",
                ),
            ],
            outputs=[
                sockets.Blink.Output(
                    display_name="blinks", tooltip="How far the eyes are closed, one number per frame."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, pattern: str | None = None) -> bool | str:
        return check_choice("pattern", pattern, PATTERNS)

    @classmethod
    def execute(cls, mel: MelWindows, rate: float, seed: int, pattern: str = PATTERNS[0]) -> io.NodeOutput:
        generator = torch.Generator().manual_seed(seed)
        if pattern == "original":
            blink = original_blink(len(mel), partial(draw_from, generator=generator), mel.fps)
        else:
            blink = random_blink(len(mel), mel.fps, generator, rate=rate)
        return io.NodeOutput(to_host(blink))
