"""MEL -> COEFFICIENTS (head pose)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi

import torch
from torch import Tensor

from ..checks import check_shape
from ..errors import SadTalkerError
from ..flow import MODEL_FPS, POSE_SIZE, MelWindows
from ..progress import Progress, no_progress
from ..time_series import at_times
from .model import LATENT_SIZE, SEQUENCE, PoseVAE
from .smoothing import WINDOW, smooth_pose

BATCH_SIZE = 64
KNEE = 0.7
"""Share of a limit up to which motion is left alone."""


@dataclass(frozen=True, slots=True)
class PoseSampling:
    """How drawn blocks of motion become a track; the defaults are the original's."""

    blend: int = 0
    """frames over which one block passes into the next, see ``decode_motion``"""
    limit: tuple[float, ...] | None = None
    """(6,) largest distance from the own pose that the renderer can show, see ``within``"""
    smoothing: int = WINDOW
    """frames that the filter over the finished track sees at once, see ``smooth_pose``; 1 smooths nothing"""


@dataclass(frozen=True, slots=True)
class HeardSpeech:
    """Speech as the audio encoder hears it; one voice may move many heads."""

    audio: Tensor
    """(N, 512) at 25 frames a second, without the first frame, which is the own pose itself"""
    fps: float
    """frames a second of the wanted track"""
    frames: int
    """length of the wanted track"""


def predict_pose(
    posevae: PoseVAE,
    mel: MelWindows,
    own: Tensor,
    style: int,
    generator: torch.Generator,
    *,
    sampling: PoseSampling | None = None,
    on_progress: Progress = no_progress,
) -> Tensor:
    """Head pose (T, 6) for the T mel windows: ``draw_pose`` for what ``hear_speech`` hears, which says more."""
    return draw_pose(posevae, hear_speech(posevae, mel, on_progress), own, style, generator, sampling=sampling)


@torch.no_grad()
def hear_speech(posevae: PoseVAE, mel: MelWindows, on_progress: Progress = no_progress) -> HeardSpeech:
    """Encode speech for head motion. At another rate than 25 frames a second the windows nearest in time are heard.

    Args:
        posevae: in inference mode, on the device of the windows.
    """
    return HeardSpeech(_embed(posevae, _windows_at_model_rate(mel), on_progress), mel.fps, len(mel))


@torch.no_grad()
def draw_pose(
    posevae: PoseVAE,
    speech: HeardSpeech,
    own: Tensor,
    style: int,
    generator: torch.Generator,
    *,
    sampling: PoseSampling | None = None,
) -> Tensor:
    """Head pose (T, 6) for speech of T frames: the own pose plus sampled motion, smoothed.

    The network works at 25 frames a second; at another rate its track is interpolated.

    Args:
        posevae: in inference mode, on the device of the tensors.
        own: (6,) pose of the portrait, where the track begins (before smoothing).
        style: number of a head-motion style, 0 to ``posevae.config.styles`` - 1.
        generator: on the CPU; one draw of 64 numbers for each block of 32 frames.
        sampling: what the pack says of its PoseVAE; None as in the original.

    Raises:
        ShapeError: ``own`` has another shape.
        SadTalkerError: style or blend is out of its range.
    """
    check_shape("own pose", own, f"{POSE_SIZE}")
    _check_range("pose style", style, posevae.config.styles - 1)
    latents = torch.randn(len(block_starts(speech.audio.shape[0])), LATENT_SIZE, generator=generator)
    sampling = sampling or PoseSampling()
    motion = decode_motion(posevae, speech.audio, own, style, latents, blend=sampling.blend)
    if sampling.limit is not None:
        motion = within(motion, motion.new_tensor(sampling.limit))
    track = smooth_pose(own + motion, sampling.smoothing)
    return at_times(track, torch.arange(speech.frames, dtype=torch.float64) * MODEL_FPS / speech.fps)


def within(motion: Tensor, limit: Tensor) -> Tensor:
    """Motion (T, 6) that approaches a limit (6,) on either side and never passes it; small motion stays as it is."""
    knee, room = KNEE * limit, (1 - KNEE) * limit
    excess = (motion.abs() - knee).clamp(min=0)
    return motion.clamp(-knee, knee) + motion.sign() * room * torch.tanh(excess / room)


def block_starts(count: int) -> list[int]:
    """Where each block of 32 begins in ``count`` rows of audio.

    The last block ends with the audio, so it may overlap the one before; in short audio its start is negative.
    """
    return [*range(0, count - SEQUENCE, SEQUENCE), count - SEQUENCE] if count else []


def decode_motion(
    posevae: PoseVAE, audio: Tensor, own: Tensor, style: int, latents: Tensor, *, blend: int = 0
) -> Tensor:
    """Motion (N + 1, 6), the distance from ``own``: one row of zeros, then one row for each row of audio.

    Args:
        audio: (N, 512) from ``PoseVAE.embed``, without the first frame. Before its start the first row repeats.
        own: (6,) pose.
        latents: (K, 64), one row for each of ``block_starts(N)``.
        blend: frames, 0 to 32, over which a block departs from where the one before it was heading, and half of them
            from its speed. At 0 the blocks stand side by side as in the original, and the head jumps between them; at
            24 it neither moves faster there nor turns more sharply than elsewhere.

    Raises:
        SadTalkerError: blend is out of its range.
    """
    _check_range("blend", blend, SEQUENCE)
    motion = audio.new_zeros(audio.shape[0] + 1, POSE_SIZE)
    starts = block_starts(audio.shape[0])
    done = 1
    for start, block in zip(starts, _decode_blocks(posevae, audio, own, style, latents, starts), strict=True):
        end = start + 1 + SEQUENCE
        fresh = block[done - end :]
        if blend:
            step = motion[done - 1] - motion[max(done - 2, 0)]
            ahead = motion[done - 1] + step - fresh[0]
            faster = step - fresh[:2].diff(dim=0).sum(0)  # (6,); a single frame has no speed
            passed = torch.arange(len(fresh), device=fresh.device)[:, None]
            slowing = (1 - 2 * passed / blend).clamp(min=0).square()  # times ``passed``: a cubic of slope 1 at 0
            fresh = fresh + ahead * _fade_out(fresh, blend) + faster * passed * slowing
        motion[done:end] = fresh
        done = end
    return motion


def _decode_blocks(
    posevae: PoseVAE, audio: Tensor, own: Tensor, style: int, latents: Tensor, starts: list[int]
) -> Tensor:
    """Independent motion blocks (K, 32, 6)."""
    first = torch.tensor(starts, dtype=torch.long, device=audio.device)
    rows = (first[:, None] + torch.arange(SEQUENCE, device=audio.device)).clamp(min=0)  # (K, 32)
    blocks = [audio.new_zeros(0, SEQUENCE, POSE_SIZE)]
    for part in range(0, len(starts), BATCH_SIZE):
        latent, heard = latents[part : part + BATCH_SIZE].to(audio), audio[rows[part : part + BATCH_SIZE]]
        styles = torch.full((len(latent),), style, device=audio.device)
        blocks.append(posevae.decode(latent, styles, own.expand(len(latent), -1), heard))
    return torch.cat(blocks)


def _embed(posevae: PoseVAE, windows: Tensor, on_progress: Progress) -> Tensor:
    """Audio features (T - 1, 512) of all windows but the first, whose frame is the own pose itself."""
    frames = windows.shape[0]
    parts: list[Tensor] = []
    done = 1
    for part in windows[1:].split(BATCH_SIZE):
        parts.append(posevae.embed(part))
        done += part.shape[0]
        on_progress(done, frames)
    return torch.cat(parts)


def _fade_out(like: Tensor, frames: int) -> Tensor:
    """Weights (T, 1) that fall from 1 to 0 over ``frames`` as half a cosine."""
    phase = torch.arange(like.shape[0], device=like.device).div(frames).clamp(max=1)
    return (0.5 + 0.5 * torch.cos(pi * phase))[:, None]


def _windows_at_model_rate(mel: MelWindows) -> Tensor:
    """As many of the windows as 25 frames a second need to cover the track, each the nearest in time."""
    count = ceil((len(mel) - 1) * MODEL_FPS / mel.fps) + 1
    nearest = (torch.arange(count, dtype=torch.float64) * mel.fps / MODEL_FPS).round().long()
    return mel.windows[nearest.clamp(max=len(mel) - 1)]


def _check_range(name: str, value: int, largest: int) -> None:
    if not 0 <= value <= largest:
        raise SadTalkerError(f"The {name} must lie between 0 and {largest}, got {value}.")
