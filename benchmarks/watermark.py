"""``python -m benchmarks.watermark``: what the invisible mark costs, what it survives, and what is taken for it.

Every portrait speaks at every size; its frames are marked and sent through libx264 at crf 23, as they are and reduced
to 75 %. Bit accuracies are shares of the 64 payload bits that are read rightly, of the average of the first 1, 8, 25
and 50 frames. Then the same after harder treatment, and the scores of pictures and videos without a mark.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sadtalker_core.audio.waveform import mono_waveform
from sadtalker_core.errors import SadTalkerError
from sadtalker_core.finish.watermark.detector import FOUND, code_scores, detect
from sadtalker_core.finish.watermark.files import detect_in_file
from sadtalker_core.finish.watermark.invisible import mark_
from sadtalker_core.finish.watermark.payload import decode, encode, payload_of
from sadtalker_core.pack import Pack
from sadtalker_core.packs.open.load import load_open_pack
from sadtalker_core.pictures.video import read_picture
from sadtalker_core.pipeline import TalkingHeadOptions, talking_head

from .common import environment, environment_line, format_table, write_json
from .end_to_end_case import DEMO, demo_speech

MESSAGE = "Take 7-b"
COUNTS = (1, 8, 25, 50)
CRF = 23


def main() -> None:
    """Parse the command line, measure, print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.watermark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path, nargs="*", default=[DEMO / "portrait.jpg"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longer side of the frames, pixels")
    parser.add_argument("--seconds", type=float, default=2.0, help="of the demo speech")
    parser.add_argument("--unmarked", type=Path, nargs="*", default=[], help="pictures and videos that have no mark")
    parser.add_argument("--threads", type=int, help="threads for torch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure and the environment to FILE")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    pack = load_open_pack()
    with torch.inference_mode():
        cases = [(path, size) for path in options.portraits for size in options.sizes]
        clips = [measure_clip(pack, path, size, options.seconds) for path, size in cases]
        unmarked = {clip["name"]: clip["unmarked_score"] for clip in clips} | unmarked_scores(options.unmarked)
    report: dict[str, Any] = {"benchmark": "watermark", **environment(options.threads), "clips": clips}
    report |= {"unmarked": unmarked, "score_needed": FOUND}
    print(environment_line(report), *tables(report), sep="\n\n")
    if options.json:
        write_json(options.json, report)


def measure_clip(pack: Pack, portrait: Path, size: int, seconds: float) -> dict[str, Any]:
    """All figures of one portrait at one size."""
    speech = mono_waveform(*demo_speech(seconds))
    made = talking_head(pack, read_picture(portrait), speech, TalkingHeadOptions(size=size, watermark=False)).frames
    mark_(made.clone(), MESSAGE)  # the first one makes the waves, too
    started = time.perf_counter()
    marked = mark_(made.clone(), MESSAGE)
    elapsed = time.perf_counter() - started
    sent = {name: _after(treat, marked) for name, treat in TREATMENTS.items()}
    return {
        "name": f"{portrait.stem} {made.shape[3]}x{made.shape[2]}",
        "frames": len(made),
        "psnr_db": float(-10 * (marked - made).square().mean((1, 2, 3)).max().log10()),
        "mark_s": elapsed / len(made),
        "unmarked_score": detect(_h264(made)).score,
        "sent": sent,
    }


def unmarked_scores(paths: Sequence[Path]) -> dict[str, float]:
    """The detector's scores of files, and of files in folders, by name; what cannot be read is left out."""
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    scores = {}
    for file in files:
        try:
            scores[f"{file.parent.name}/{file.name}"] = detect_in_file(file).score
        except SadTalkerError:
            continue
    return scores


def tables(report: dict[str, Any]) -> Iterator[str]:
    """Of the contract's treatment, of the harder ones, of what has no mark."""
    clips, needed = report["clips"], report["score_needed"]
    asked = ("h264", "h264, 75 %")
    yield format_table(
        ["clip", "PSNR dB", "ms a frame", *(f"{name}, {count}" for name in asked for count in COUNTS)],
        [
            [clip["name"], f"{clip['psnr_db']:.1f}", f"{1000 * clip['mark_s']:.1f}"]
            + [f"{clip['sent'][name]['bits'][str(count)]:.1%}" for name in asked for count in COUNTS]
            for clip in clips
        ],
    )
    yield f"Read, and score ({needed:.1f} needed):\n\n" + format_table(
        ["clip", *TREATMENTS],
        [[clip["name"], *(_verdict(clip["sent"][name], needed) for name in TREATMENTS)] for clip in clips],
    )
    scores = sorted(report["unmarked"].values())
    yield (
        f"{len(scores)} pictures and videos without a mark: {sum(score >= needed for score in scores)} found; "
        f"scores {scores[0]:.1f} to {scores[-1]:.1f}, median {scores[len(scores) // 2]:.1f}"
    )


def _verdict(sent: dict[str, Any], needed: float) -> str:
    seen = "yes" if sent["message_read"] else "seen" if sent["score"] >= needed else "no"
    return f"{seen} {sent['score']:.1f}"


def _after(treat: Callable[[Tensor], Tensor], marked: Tensor) -> dict[str, Any]:
    sent = treat(marked)
    found = detect(sent)
    payload = payload_of(MESSAGE)
    read = {count: code_scores(sent[:count].mean(0)).double().numpy() for count in COUNTS}
    return {
        "score": found.score,
        "message_read": found.message == MESSAGE,
        "bits": {str(count): float((decode(scores) == payload).mean()) for count, scores in read.items()},
        "code_bits": {str(count): float(((scores > 0) == encode(payload)).mean()) for count, scores in read.items()},
    }


def _h264(frames: Tensor, crf: int = CRF) -> Tensor:
    """Frames as they come out of libx264 in yuv420p, sides even."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = (side // 2 * 2 for side in frames.shape[2:])
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf)}
        for levels in _levels(frames[..., : stream.height, : stream.width]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return _frames([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _jpeg(frames: Tensor, quality: int) -> Tensor:
    pictures = []
    for levels in _levels(frames[: COUNTS[1]]):
        buffer = io.BytesIO()
        Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
        pictures.append(np.asarray(Image.open(buffer)))
    return _frames(pictures)


def _resized(frames: Tensor, scale: float) -> Tensor:
    height, width = (round(scale * side / 2) * 2 for side in frames.shape[2:])
    return F.interpolate(frames, (height, width), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _cropped(frames: Tensor, share: float) -> Tensor:
    top, left = (round(share / 2 * side) for side in frames.shape[2:])
    return frames[..., top : frames.shape[2] - top, left : frames.shape[3] - left]


def _levels(frames: Tensor) -> list[np.ndarray[Any, Any]]:
    return [np.ascontiguousarray(frame) for frame in (255 * frames).round().byte().permute(0, 2, 3, 1).numpy()]


def _frames(pictures: Sequence[np.ndarray[Any, Any]]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


TREATMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "h264": _h264,
    "h264, 75 %": lambda frames: _h264(_resized(frames, 0.75)),
    "twice h264": lambda frames: _h264(_h264(frames)),
    "h264, then 75 % and h264": lambda frames: _h264(_resized(_h264(frames), 0.75)),
    "h264 crf 30": lambda frames: _h264(frames, 30),
    "50 %": lambda frames: _h264(_resized(frames, 0.5)),
    "150 %": lambda frames: _h264(_resized(frames, 1.5)),
    "brighter by 20 %": lambda frames: _h264((1.2 * frames).clamp(0, 1)),
    "JPEG 75": lambda frames: _jpeg(frames, 75),
    "JPEG 50": lambda frames: _jpeg(frames, 50),
    "grey": lambda frames: _h264(frames.mean(1, keepdim=True).expand_as(frames)),
    "cropped by 10 %": lambda frames: _h264(_cropped(frames, 0.1)),
    "cropped by 30 %": lambda frames: _h264(_cropped(frames, 0.3)),
}

if __name__ == "__main__":
    main()
