"""Pictures and their sound -> a video file, one picture at a time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from torch import Tensor

from .levels import levels_of

QUALITY = "14"
"""Constant rate factor of h264: the loss is not visible."""


def write_video(path: Path | str, pictures: Iterable[Tensor], fps: float, sound: Tensor, sample_rate: int) -> None:
    """Write an mp4 file (h264, AAC); memory does not grow with its length.

    Args:
        pictures: (3, H, W) in [0, 1], all of one size, H and W even.
        fps: pictures a second.
        sound: (C, S) with one or two channels, nominally in [-1, 1], on the CPU; what lasts longer than the pictures is
            cut.
        sample_rate: one that AAC knows, such as 16 000, 44 100 or 48 000.
    """
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), mode="w", format="mp4") as container:
        stream = container.add_stream("h264", rate=rate, options={"crf": QUALITY})
        stream.pix_fmt = "yuv420p"
        # Both streams are announced before the first picture is written.
        sound_stream = container.add_stream("aac", rate=sample_rate)
        count = 0
        for picture in pictures:
            if not count:
                stream.height, stream.width = picture.shape[1:]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels_of(picture), format="rgb24")))
            count += 1
        container.mux(stream.encode(None))
        sound = sound[:, : -(-count * sample_rate * rate.denominator // rate.numerator)]
        frame = av.AudioFrame.from_ndarray(
            sound.T.reshape(1, -1).contiguous().numpy(), format="flt", layout="mono" if len(sound) == 1 else "stereo"
        )
        frame.sample_rate, frame.pts = sample_rate, 0
        container.mux(sound_stream.encode(frame))
        container.mux(sound_stream.encode(None))
