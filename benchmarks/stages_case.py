"""One case of the stage benchmark: networks of the official pack, with made-up weights, at one size, batch and number
of threads.

``stages`` starts this in a process of its own; the result goes to stdout as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sadtalker_core.audio.windows import mel_windows
from sadtalker_core.expnet.model import ExpNet
from sadtalker_core.expnet.predict import predict_expression
from sadtalker_core.flow import SAMPLE_RATE, BlinkCurve, Crop, SourceFace, Waveform
from sadtalker_core.packs.official.keypoints import KEYPOINTS, KeypointDetector
from sadtalker_core.packs.official.mapping import CROP_CHANNELS, WINDOW, MappingNetwork
from sadtalker_core.packs.official.regressor import FaceRegressor
from sadtalker_core.packs.official.renderer import NeuralRenderer
from sadtalker_core.posevae.model import PoseVAE
from sadtalker_core.posevae.predict import predict_pose

from . import plain_renderer
from .common import Timing, measure, peak_memory_mib

BASIS = "bfm09"
SPEECH_SECONDS = 10


def main() -> None:
    """Measure the case that the first argument describes in JSON."""
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings.pop("threads"))
    torch.manual_seed(settings.pop("seed"))
    measure_case = {"audio": audio_case, "render": render_case, "plain": plain_case}[settings.pop("part")]
    with torch.inference_mode():
        result = measure_case(**settings)
    json.dump(result | {"peak_memory_mib": peak_memory_mib()}, sys.stdout)


def audio_case() -> dict[str, Any]:
    """Seconds for a second of audio; the regressor's for a picture."""
    expnet, posevae, regressor = (network.eval() for network in (ExpNet(), PoseVAE(), FaceRegressor()))
    waveform = Waveform(torch.randn(SPEECH_SECONDS * SAMPLE_RATE) * 0.1)
    mel = mel_windows(waveform)
    own, blink = torch.zeros(64), BlinkCurve(torch.zeros(len(mel)), mel.fps)
    aligned = torch.rand(1, 3, 224, 224)
    generator = torch.Generator().manual_seed(0)
    return {
        "mel": _seconds(lambda: mel_windows(waveform), SPEECH_SECONDS),
        "ExpNet": _seconds(lambda: predict_expression(expnet, mel, own, blink), SPEECH_SECONDS),
        "PoseVAE": _seconds(lambda: predict_pose(posevae, mel, own[:6], 0, generator), SPEECH_SECONDS),
        "3DMM regressor": _seconds(lambda: regressor(aligned), 1),
    }


def render_case(*, size: int, batch: int, warmup: int, repeats: int) -> dict[str, Any]:
    """Seconds for a frame; those of the detector and of the portrait's preparation for a picture."""
    detector, mapping, renderer = _networks()
    face, source, driving = _portrait(size), *_keypoints(batch)
    windows = torch.randn(batch, CROP_CHANNELS, WINDOW)
    prepared = renderer.prepare(face, source)
    return {
        "keypoint detector": _seconds(lambda: detector(face.cropped[None]), 1),
        "MappingNet": _seconds(lambda: mapping(windows), batch),
        "portrait": _seconds(lambda: renderer.prepare(face, source), 1),
        "generator": _seconds(lambda: renderer.render(prepared, driving), batch, warmup=warmup, repeats=repeats),
    }


def plain_case(*, size: int, batch: int, warmup: int, repeats: int) -> dict[str, Any]:
    """Seconds for a frame of the same generator, computed as the original does."""
    networks = _networks()  # all of them, so that both processes hold the same weights
    generator = networks[-1].generator
    picture, (source, driving) = _portrait(size).cropped[None], _keypoints(batch)

    def render() -> Tensor:
        return plain_renderer.render(generator, picture, source, driving)

    return {"generator": _seconds(render, batch, warmup=warmup, repeats=repeats)}


def _seconds(action: Callable[[], object], units: int, *, warmup: int = 1, repeats: int = 3) -> dict[str, Any]:
    """Time of an action that does so many units of work, for one of them: on the clock, and of the processors."""
    spent: list[float] = []

    def counted() -> object:
        started = time.process_time()
        result = action()
        spent.append((time.process_time() - started) / units)
        return result

    timing, _ = measure(counted, warmup=warmup, repeats=repeats)
    per_unit = Timing(tuple(run / units for run in timing.runs))
    return per_unit.as_json() | {"processor_s": statistics.median(spent[warmup:])}


def _networks() -> tuple[KeypointDetector, MappingNetwork, NeuralRenderer]:
    return KeypointDetector().eval(), MappingNetwork(CROP_CHANNELS).eval(), NeuralRenderer().eval()


def _portrait(size: int) -> SourceFace:
    picture = torch.rand(3, size, size)
    crop = Crop(0, 0, size, size, size, size)
    shape = torch.zeros(478, 3), torch.zeros(80)
    return SourceFace(picture, picture, crop, *shape, basis=BASIS, expression=torch.zeros(64), pose=torch.zeros(6))


def _keypoints(batch: int) -> tuple[Tensor, Tensor]:
    """Of the portrait and of the frames, within the volume."""
    source = torch.rand(KEYPOINTS, 3) * 1.6 - 0.8
    return source, source + 0.1 * torch.randn(batch, KEYPOINTS, 3)


if __name__ == "__main__":
    main()
