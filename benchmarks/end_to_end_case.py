"""One case of the end-to-end benchmark: every stage on the demo portrait and so many seconds of the demo speech.

``end_to_end`` starts this in a process of its own; the result goes to stdout as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import av
import numpy as np
import soundfile
import torch
from torch import Tensor

from sadtalker_core.audio.waveform import mono_waveform
from sadtalker_core.audio.windows import mel_windows
from sadtalker_core.expnet.blink import random_blink
from sadtalker_core.face.extract import extract_face
from sadtalker_core.flow import MODEL_FPS
from sadtalker_core.packs.open.load import load_open_pack
from sadtalker_core.pictures.video import read_picture
from sadtalker_core.render.frames import render_frames
from sadtalker_core.tracks.scale import combine

from .common import ROOT, Timing, measure, peak_memory_mib

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
T = TypeVar("T")


def main() -> None:
    """Measure the case that the first argument describes in JSON."""
    settings = json.loads(sys.argv[1])
    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    with torch.inference_mode():
        json.dump(measure_case(**settings), sys.stdout)


def measure_case(
    *, seconds: float, size: int, repeats: int, warmup: int, seed: int, threads: int | None = None
) -> dict[str, Any]:
    """Run and time the stages in the order of the flow, each on the result of the one before."""
    stages: dict[str, Timing] = {}

    def timed(name: str, action: Callable[[], T]) -> T:
        stages[name], result = measure(action, warmup=warmup, repeats=repeats)
        return result

    picture = read_picture(DEMO / "portrait.jpg")
    speech, rate = demo_speech(seconds)
    pack = timed("load the open pack", load_open_pack)
    mel = timed("audio to mel", lambda: mel_windows(mono_waveform(speech, rate), MODEL_FPS))
    face = timed("extract 3DMM", lambda: extract_face(pack.landmarker, pack.extractor, picture, size=size))
    blink = timed("blink", lambda: random_blink(len(mel), mel.fps, _generator(seed)))
    expression = timed("ExpNet", lambda: pack.express(mel, face.expression, blink))
    pose = timed("PoseVAE", lambda: pack.move_head(mel, face.pose, 0, _generator(seed)))
    keypoints = timed("mapping", lambda: pack.mapping.keypoints(face, combine(expression, pose)))
    frames = timed("face render", lambda: render_frames(pack.renderer, face, keypoints))
    content = timed("mp4 encode", lambda: encode_mp4(frames, MODEL_FPS, speech, rate))
    return {
        "speech_s": seconds,
        "threads": torch.get_num_threads(),
        "frames": frames.shape[0],
        "frame": [frames.shape[2], frames.shape[3]],
        "stages": {name: timing.as_json() for name, timing in stages.items()},
        "sum_s": sum(timing.median for name, timing in stages.items() if name != "load the open pack"),
        "render_fps": frames.shape[0] / stages["face render"].median,
        "peak_memory_mib": peak_memory_mib(),
        "mp4_bytes": len(content),
    }


def demo_speech(seconds: float) -> tuple[Tensor, int]:
    """(1, N) samples of the demo speech, said again from its start when it ends, and their rate."""
    samples, rate = soundfile.read(str(DEMO / "speech.wav"), dtype="float32")
    return torch.from_numpy(np.resize(samples, (1, round(seconds * rate)))), rate


def encode_mp4(frames: Tensor, fps: int, speech: Tensor, rate: int) -> bytes:
    """h264 and AAC with the encoders' own defaults, as ComfyUI's Save Video does it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("h264", rate=fps)
        video.height, video.width, video.pix_fmt = frames.shape[2], frames.shape[3], "yuv420p"
        sound = container.add_stream("aac", rate=rate)
        for frame in frames:
            pixels = (frame * 255).byte().permute(1, 2, 0).numpy()
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(video.encode(None))
        block = av.AudioFrame.from_ndarray(speech.numpy(), format="flt", layout="mono")
        block.sample_rate = rate
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return buffer.getvalue()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


if __name__ == "__main__":
    main()
