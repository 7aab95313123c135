"""A model pack: the modules of every stage, and what is particular about them.

A stage that differs between the packs is a protocol of its room (``face.extractor``, ``render.protocols``,
``dub.dubber``). Whoever has another network for it writes a class of that shape and puts it into a ``Pack``.
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
    """space of its coefficients; every stage checks it against what it receives"""
    landmarker: FaceLandmarker
    extractor: Extractor
    expnet: ExpNet
    posevae: PoseVAE
    mapping: Mapping
    renderer: Renderer
    dubber: Callable[[Pack, Survey], Dubber]
    """makes what draws the lower face of one person into the frames of a video"""
    vertices: MorphableModel | None = None
    """the face model that gives the coefficients their vertices; None where they have none"""
    speech_smoothing: float = 0.0
    """weight of each neighbouring frame in what ExpNet hears at a frame, see ``predict_expression``"""
    pose_sampling: PoseSampling = PoseSampling()
    """how drawn blocks of head motion become a track"""
    scales_about_own: bool = True
    """whether an expression scale of 0 gives the portrait's own expression, or the mean face as in the original"""

    @property
    def styles(self) -> int:
        """Number of head-motion styles of the PoseVAE; a style is an index below it."""
        return self.posevae.config.styles

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by field name, for whoever decides their placement."""
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
        """How the face moves with the speech: one expression for each of the T mel windows.

        Args:
            own: (64,) expression of the portrait.
            blink: T frames at the rate of ``mel``; None keeps the eyes open.
            scale: strength of the expressions, 1 as predicted.
            start: (64,) or (T, 64) the expression that ExpNet starts from instead of ``own``.

        Raises:
            SadTalkerError: the blinks have another length or frame rate.
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
        """How the head moves with the speech: one pose for each of the T mel windows.

        Args:
            own: (6,) pose of the portrait, where the track begins.
            style: number of a head-motion style, below ``styles``.
            generator: on the CPU; the same state draws the same motion.
            scale: strength of the motion, 1 as drawn.

        Raises:
            SadTalkerError: there is no such style.
        """
        pose = self.draw_head(self.hear(mel, on_progress), own, style, generator)
        return Coefficients(self.basis, mel.fps, pose=scaled_about(pose, scale, own))

    def hear(self, mel: MelWindows, on_progress: Progress = no_progress) -> HeardSpeech:
        """The T mel windows as PoseVAE hears them; one voice may move many heads."""
        return hear_speech(self.posevae, mel, on_progress)

    def draw_head(self, speech: HeardSpeech, own: Tensor, style: int, generator: torch.Generator) -> Tensor:
        """Head pose (T, 6) for heard speech; arguments as in ``move_head``."""
        return draw_pose(self.posevae, speech, own, style, generator, sampling=self.pose_sampling)
