"""Reads a video back, to check what the server made. Runs inside the environment (PyAV comes with ComfyUI)."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import torch


@dataclass(frozen=True, slots=True)
class Video:
    """A decoded video file."""

    frames: torch.Tensor
    """(T, 3, H, W) uint8 RGB"""
    fps: float
    codec: str
    pixel_format: str
    audio_codec: str
    """empty: the file has no sound"""
    sample_rate: int
    samples: torch.Tensor
    """(C, N) float32; (0, 0) without sound"""

    @property
    def seconds(self) -> float:
        return self.frames.shape[0] / self.fps

    @property
    def audio_seconds(self) -> float:
        return self.samples.shape[-1] / self.sample_rate if self.sample_rate else 0.0


def read_video(content: bytes) -> Video:
    """Decode every frame and sample of a video file held in memory."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
        context = stream.codec_context
        fps, codec, pixel_format = float(stream.average_rate or 0), context.name, str(context.pix_fmt)
    audio_codec, sample_rate, samples = _read_audio(content)
    pictures = torch.stack(frames).permute(0, 3, 1, 2)
    return Video(pictures, fps, codec, pixel_format, audio_codec, sample_rate, samples)


def _read_audio(content: bytes) -> tuple[str, int, torch.Tensor]:
    with av.open(io.BytesIO(content)) as container:
        if not container.streams.audio:
            return "", 0, torch.zeros(0, 0)
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=stream.rate)
        pieces = [
            torch.from_numpy(piece.to_ndarray())
            for frame in container.decode(stream)
            for piece in resampler.resample(frame)
        ]
        samples = torch.cat(pieces, dim=1) if pieces else torch.zeros(0, 0)
        return stream.codec_context.name, int(stream.rate), samples
