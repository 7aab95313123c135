"""``python -m benchmarks.finish``: what the nodes after the renderer cost for a frame, beside the renderer itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sadtalker_core.audio.waveform import mono_waveform
from sadtalker_core.audio.windows import mel_windows
from sadtalker_core.face.extract import extract_face
from sadtalker_core.finish.place.cut_out import cut_out
from sadtalker_core.finish.place.paste import paste_back
from sadtalker_core.finish.sharpen.detail import transfer_detail
from sadtalker_core.flow import MODEL_FPS
from sadtalker_core.packs.open.load import load_open_pack
from sadtalker_core.pictures.video import read_picture
from sadtalker_core.pipeline import TalkingHeadOptions, predict_coefficients
from sadtalker_core.render.frames import render_frames

from .common import environment, environment_line, format_table, measure, write_json
from .end_to_end_case import DEMO, demo_speech

SECONDS = 2


def main() -> None:
    """Parse the command line, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finish", description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="longer side of the frames, pixels")
    parser.add_argument("--threads", type=int, help="threads for torch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the environment to FILE")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with torch.inference_mode():
        stages = measure_stages(options.size, options.warmup, options.repeats)
    report: dict[str, Any] = {"benchmark": "finish", **environment(options.threads), "size": options.size}
    report["stages"] = stages
    rows = [
        [name, "x".join(map(str, stage["frame"])), f"{1000 * stage['frame_s']:.1f}", f"{1 / stage['frame_s']:.0f}"]
        for name, stage in stages.items()
    ]
    print(environment_line(report), format_table(["stage", "frame", "ms a frame", "frames a second"], rows), sep="\n\n")
    if options.json:
        write_json(options.json, report)


def measure_stages(size: int, warmup: int, repeats: int) -> dict[str, Any]:
    """Time every stage on the demo portrait and two seconds of the demo speech."""
    pack = load_open_pack()
    face = extract_face(pack.landmarker, pack.extractor, read_picture(DEMO / "portrait.jpg"), size=size)
    mel = mel_windows(mono_waveform(*demo_speech(SECONDS)), MODEL_FPS)
    keypoints = pack.mapping.keypoints(face, predict_coefficients(pack, face, mel, TalkingHeadOptions()))
    frames = render_frames(pack.renderer, face, keypoints)
    stages: dict[str, Callable[[], Any]] = {
        "Face Render": partial(render_frames, pack.renderer, face, keypoints),
        "Paste Back, surroundings at rest": partial(paste_back, face, frames),
        "Paste Back": partial(paste_back, face, frames, moves_surroundings=True),
        "Cut Out": partial(cut_out, face, frames),
        "Detail Transfer": partial(transfer_detail, pack.renderer, face, keypoints, frames),
    }
    found = {}
    for name, action in stages.items():
        timing, made = measure(action, warmup=warmup, repeats=repeats)
        pictures = made[0] if isinstance(made, tuple) else made
        found[name] = timing.as_json() | {
            "frame": [pictures.shape[3], pictures.shape[2]],
            "frame_s": timing.median / len(pictures),
        }
    return found


if __name__ == "__main__":
    main()
