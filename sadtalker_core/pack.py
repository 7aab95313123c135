"""A model pack: the modules of all stages, and the facts that are specific to them.

A stage that differs between the packs is a protocol of its room (``face.extractor``, ``render.protocols``,
``dub.dubber``). To use another network for a stage, write a class with that protocol and put it into a ``Pack``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .dub.dubber import Dubber
from .dub.survey import Survey
from .expnet.model import ExpNet
from .expnet.predict import predict_expression
from .face.extractor import Extractor
from .face.landmarks import FaceLandmarker
from .face.morphable import MorphableModel
from .flow import BlinkCurve, Coefficients, MelWindows
from .posevae.model import PoseVAE
from .posevae.predict import HeardSpeech, PoseSampling, draw_pose, hear_speech
from .progress import Progress, no_progress
from .render.protocols import Mapping, Renderer
from .tracks.scale import scaled_about


@dataclass(frozen=True, slots=True)
class Pack:
    """The networks of one release, on one device, in inference mode."""

    name: str
    basis: str
    """name of the space of its coefficients; every stage compares it with the basis of its inputs"""
    landmarker: FaceLandmarker
    extractor: Extractor
    expnet: ExpNet
    posevae: PoseVAE
    mapping: Mapping
    renderer: Renderer
    dubber: Callable[[Pack, Survey], Dubber]
    """makes the dubber that draws the lower face of one person into the frames of a video"""
    vertices: MorphableModel | None = None
    """the face model that turns coefficients into vertices; None if the pack has none"""
    speech_smoothing: float = 0.0
    """weight of each neighbouring frame in the audio input of ExpNet at a frame, see ``predict_expression``"""
    pose_sampling: PoseSampling = PoseSampling()
    """how the generated blocks of head motion become a track"""
    scales_about_own: bool = True
    """whether an expression scale of 0 gives the portrait's own expression, or the mean face as in the original"""

    @property
    def styles(self) -> int:
        """Number of head-motion styles of the PoseVAE; a style is an index below it."""
        return self.posevae.config.styles

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by field name, for code that decides on which device they are."""
        fields = ("landmarker", "extractor", "expnet", "posevae", "mapping", "renderer", "vertices")
        return {field: module for field in fields if (module := getattr(self, field)) is not None}

    def express(
        self,
        mel: MelWindows,
        own: Tensor,
        blink: BlinkCurve | None,
        *,
        scale: float = 1.0,
        start: Tensor | None = None,
        on_progress: Progress = no_progress,
    ) -> Coefficients:
        """Predict the expressions from the speech: a track with one for each of the T mel windows.

        Args:
            own: (64,) expression of the portrait.
            blink: T frames at the rate of ``mel``; None keeps the eyes open.
            scale: strength of the expressions, 1 as predicted.
            start: (64,) or (T, 64) the expression that ExpNet starts from instead of ``own``.

        Raises:
            SadTalkerError: the blinks and ``mel`` differ in length or frame rate.
        """
        expression = predict_expression(
            self.expnet,
            mel,
            own if start is None else start,
            blink,
            smoothing=self.speech_smoothing,
            on_progress=on_progress,
        )
        fixed = own if self.scales_about_own else torch.zeros_like(own)
        return Coefficients(self.basis, mel.fps, expression=scaled_about(expression, scale, fixed))

    def move_head(
        self,
        mel: MelWindows,
        own: Tensor,
        style: int,
        generator: torch.Generator,
        *,
        scale: float = 1.0,
        on_progress: Progress = no_progress,
    ) -> Coefficients:
        """Generate head motion from the speech: a track with one pose for each of the T mel windows.

        Args:
            own: (6,) pose of the portrait, the start of the track.
            style: number of a head-motion style, less than ``styles``.
            generator: on the CPU; the same state gives the same motion.
            scale: strength of the motion, 1 as drawn.

        Raises:
            SadTalkerError: the style does not exist.
        """
        pose = self.draw_head(self.hear(mel, on_progress), own, style, generator)
        return Coefficients(self.basis, mel.fps, pose=scaled_about(pose, scale, own))

    def hear(self, mel: MelWindows, on_progress: Progress = no_progress) -> HeardSpeech:
        """Audio features of the T mel windows for PoseVAE; one voice can move many heads."""
        return hear_speech(self.posevae, mel, on_progress)

    def draw_head(self, speech: HeardSpeech, own: Tensor, style: int, generator: torch.Generator) -> Tensor:
        """Generate head poses (T, 6) from the result of ``hear``; other arguments as in ``move_head``."""
        return draw_pose(self.posevae, speech, own, style, generator, sampling=self.pose_sampling)
