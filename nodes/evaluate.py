"""Evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ..sadtalker_core.face.landmarks import FaceLandmarker
from ..sadtalker_core.flow import Waveform
from ..sadtalker_core.metrics.face_clip import Film, TrackedFilm, at_model_rate, face_clip, source_face, track_film
from ..sadtalker_core.metrics.figure_table import Evaluation, as_json, figures_table
from ..sadtalker_core.metrics.metric_list import METRICS
from ..sadtalker_core.metrics.video_metrics import CLIP_SECONDS, MetricResources, MetricSet
from . import inputs
from .convert import picture_from_image, waveform_from_audio
from .driving import BYTES_A_PIXEL
from .frames import Frames, frames_of_either, frames_of_video
from .host import progress
from .load import EVALUATION, FOLDER, hosted_open_pack, open_pack_fingerprint


class Evaluate(io.ComfyNode):
    """VIDEO or IMAGE -> the paper's figures as text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerEvaluate",
            display_name="Evaluate",
            category="SadTalker/evaluate",
            description=f"Measures a finished video as the paper does, over its first {CLIP_SECONDS:g} seconds: lip "
            "sync, head motion, sharpness, identity, blinks, and the distance to the real video. If a file for a "
            "measure is missing, the table names it.",
            is_output_node=True,
            inputs=[
                inputs.images_fps(),
                inputs.video("The video to measure, with its sound."),
                inputs.images(),
                io.Audio.Input("audio", optional=True, tooltip="The speech, for images or for a video without sound."),
                io.Video.Input(
                    "reference",
                    optional=True,
                    tooltip="The ground truth: the real video of the same speech, for the distances to it.",
                ),
                io.Image.Input(
                    "source",
                    optional=True,
                    tooltip="The portrait, for the likeness of the person. If not connected, the first frame of the "
                    "ground truth is used.",
                ),
                inputs.other_pack(),
            ],
            outputs=[
                io.String.Output(display_name="table", tooltip="The figures as a Markdown table."),
                io.String.Output(
                    display_name="json",
                    tooltip="The same figures as JSON, with the reason for each figure that is missing.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> str:
        return open_pack_fingerprint()

    @classmethod
    def execute(
        cls,
        images_fps: float,
        video: Input.Video | None = None,
        images: Tensor | None = None,
        audio: Mapping[str, Any] | None = None,
        reference: Input.Video | None = None,
        source: Tensor | None = None,
        pack: Any = None,
    ) -> io.NodeOutput:
        frames = frames_of_either(video, images, images_fps)
        pack = pack or hosted_open_pack()
        device = pack.load("landmarker", memory_required=BYTES_A_PIXEL * frames.pixels)
        landmarker = pack.core.landmarker
        portrait = None if source is None else source_face(picture_from_image(source).to(device), landmarker)
        clip = face_clip(
            _tracked("video", frames, _sound(video, audio), landmarker, device),
            ground_truth=_real(reference, landmarker, device),
            source=portrait,
        )
        metrics = MetricSet.make(METRICS, MetricResources(weights_folder(), device))
        evaluation = Evaluation((metrics.measure(clip),), metrics.of_set())
        table = figures_table(evaluation, name="this video")
        report = json.dumps(as_json(evaluation), indent=2, ensure_ascii=False)
        return io.NodeOutput(table, report, ui=ui.PreviewText(table))


def weights_folder() -> Path:
    """Where people put the weights that some metrics need: the first ``sadtalker/evaluation`` there is."""
    found = [Path(path) / EVALUATION for path in folder_paths.get_folder_paths(FOLDER)]
    return next((folder for folder in found if folder.is_dir()), found[0])


def _tracked(
    name: str, frames: Frames, sound: Waveform | None, landmarker: FaceLandmarker, device: torch.device
) -> TrackedFilm:
    return track_film(Film(name, _start_of(frames, device), sound), landmarker, progress())


def _real(video: Input.Video | None, landmarker: FaceLandmarker, device: torch.device) -> TrackedFilm | None:
    if video is None:
        return None
    return _tracked("ground truth", frames_of_video(video), _sound(video, None), landmarker, device)


def _start_of(frames: Frames, device: torch.device) -> Callable[[], Iterator[Tensor]]:
    """The pictures at 25 frames a second, as far as they are measured."""

    def pictures() -> Iterator[Tensor]:
        timed = ((number / frames.fps, frame) for number, frame in enumerate(frames))
        return (frame.to(device) for frame in at_model_rate(timed, frames.fps))

    return pictures


def _sound(video: Input.Video | None, audio: Mapping[str, Any] | None) -> Waveform | None:
    if audio is None and video is not None:
        audio = video.get_components().audio
    return None if audio is None else waveform_from_audio(audio)
