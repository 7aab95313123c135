"""Pictures, one at a time, to a VIDEO that lies in a file: a long one needs no more memory than a short one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from tempfile import mkstemp
from typing import Any

import av
import folder_paths
from comfy_api.latest import Input, InputImpl
from torch import Tensor

from .convert import encodable_audio

QUALITY = "14"
"""Constant rate factor of h264: the loss is not seen, and Save Video copies the file as it is."""


def video_from_pictures(pictures: Iterable[Tensor], fps: float, audio: Mapping[str, Any]) -> InputImpl.VideoFromFile:
    """VIDEO, in the host's folder for temporary files, of pictures (3, H, W) in [0, 1], H and W even, with their sound.

    Sound that lasts longer than the pictures is cut.
    """
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    handle, path = mkstemp(prefix="SadTalker_", suffix=".mp4", dir=folder)
    os.close(handle)
    try:
        _write(path, pictures, Fraction(fps).limit_denominator(1001), encodable_audio(audio))
    except BaseException:
        os.unlink(path)
        raise
    return InputImpl.VideoFromFile(path)


def _write(path: str, pictures: Iterable[Tensor], rate: Fraction, audio: Input.Audio) -> None:
    sound, sample_rate = audio["waveform"][0], int(audio["sample_rate"])
    with av.open(path, mode="w", format="mp4") as container:
        stream = container.add_stream("h264", rate=rate, options={"crf": QUALITY})
        stream.pix_fmt = "yuv420p"
        # Both streams are announced before the first picture is written.
        sound_stream = container.add_stream("aac", rate=sample_rate)
        count = 0
        for picture in pictures:
            if not count:
                stream.height, stream.width = picture.shape[1:]
            levels = (picture * 255).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="rgb24")))
            count += 1
        container.mux(stream.encode(None))
        sound = sound[:, : -(-count * sample_rate * rate.denominator // rate.numerator)]
        frame = av.AudioFrame.from_ndarray(
            sound.T.reshape(1, -1).contiguous().numpy(), format="flt", layout="mono" if len(sound) == 1 else "stereo"
        )
        frame.sample_rate, frame.pts = sample_rate, 0
        container.mux(sound_stream.encode(frame))
        container.mux(sound_stream.encode(None))
