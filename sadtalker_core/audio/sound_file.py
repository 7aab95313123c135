"""Sound and video files -> speech."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from torch import Tensor

from ..errors import AudioError
from ..flow import SAMPLE_RATE, Waveform
from .waveform import mono_waveform


def read_speech(path: Path | str) -> Waveform:
    """The sound of a file, mono at 16 kHz.

    Raises:
        AudioError: there is no such file, or it has no sound.
    """
    try:
        samples = read_sound(path)
    except (FFmpegError, OSError) as error:
        raise AudioError(f"{path} cannot be read as sound ({error}). Use a WAV, FLAC or MP3 file.") from error
    if not len(samples):
        raise AudioError(f"{path} has no sound. Choose a recording.")
    return Waveform(samples)


def read_sound(path: Path | str, begin: float | None = None) -> Tensor:
    """Mono samples (S,) at 16 kHz of a sound or video file; (0,) without sound.

    Args:
        begin: seconds on the file's clock at which the first sample lies: where the first picture of a video is shown.
            None: where the sound begins.
    """
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return torch.zeros(0)
        chunks: list[np.ndarray] = []
        start: float | None = None
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="fltp", layout="stereo")
        for frame in container.decode(audio=0):
            start = float(frame.time or 0.0) if start is None else start
            chunks.extend(part.to_ndarray() for part in resampler.resample(frame))
    if not chunks:
        return torch.zeros(0)
    samples = mono_waveform(torch.from_numpy(np.concatenate(chunks, 1)), rate).samples
    shift = 0 if begin is None else round((begin - (start or 0.0)) * SAMPLE_RATE)
    return samples[shift:] if shift >= 0 else torch.cat((torch.zeros(-shift), samples))
