"""Pictures, one at a time, to a VIDEO that lies in a file: a long one needs no more memory than a short one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from tempfile import mkstemp
from typing import Any

import folder_paths
from comfy_api.latest import InputImpl
from torch import Tensor

from ..sadtalker_core.pictures.encode import write_video
from .convert import encodable_audio


def video_from_pictures(pictures: Iterable[Tensor], fps: float, audio: Mapping[str, Any]) -> InputImpl.VideoFromFile:
    """VIDEO, in the host's folder for temporary files, of pictures (3, H, W) in [0, 1], H and W even, with their sound.

    Sound that lasts longer than the pictures is cut. Save Video copies the file as it is.
    """
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    handle, path = mkstemp(prefix="SadTalker_", suffix=".mp4", dir=folder)
    os.close(handle)
    try:
        sound = encodable_audio(audio)
        write_video(path, pictures, fps, sound["waveform"][0], int(sound["sample_rate"]))
    except BaseException:
        os.unlink(path)
        raise
    return InputImpl.VideoFromFile(path)
