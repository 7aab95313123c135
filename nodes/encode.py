"""Pictures, one at a time -> a VIDEO in a file, so that a long video needs no more memory than a short one."""

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
    """Write pictures (3, H, W) in [0, 1], H and W even, with their sound, to a VIDEO in the host's temporary folder.

    Sound that is longer than the pictures is cut. Save Video copies the file without changes.
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
