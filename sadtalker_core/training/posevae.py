"""Train PoseVAE in the open basis: a style, a reference pose and speech -> 32 frames of head motion.

Paper, section 3.3: reconstruction, Kullback-Leibler and adversarial terms on the residual pose. Motion here is the
distance from the clip's resting pose, so that blocks sampled one after the other come from one distribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..posevae.model import PoseVAE, PoseVAEConfig
from .augment import augment_mel
from .speech_data import FittedClip

SEQUENCE = 32
MAX_MOTION = (0.35, 0.45, 0.35, 0.6, 0.6, 1.5)
"""Windows that leave this range (radians; canonical units) are dropped: the mesh renderer cannot show them."""
MIN_WINDOWS = 24
"""A clip with fewer usable windows makes no style of its own."""


@dataclass(frozen=True, slots=True)
class PoseVAETraining:
    """Every number of the run; travels in the file it makes."""

    steps: int = 1500
    batch_size: int = 48
    learning_rate: float = 1e-3
    kl_weight: float = 2e-3
    velocity_weight: float = 4.0
    audio_candidates: int = 12
    """speech windows tried for each window of silent motion; the one whose loudness moves most like the head is used"""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class MotionWindow:
    """32 frames of head motion of one style."""

    style: int
    motion: Tensor
    """(32, 6) distance from the resting pose"""
    rest: Tensor
    """(6,)"""
    mel: Tensor | None
    """(32, 1, 80, 16), or None for silent clips"""


@dataclass(frozen=True, slots=True)
class PoseBatch:
    motion: Tensor
    rest: Tensor
    style: Tensor
    mel: Tensor


def motion_windows(clips: list[FittedClip]) -> tuple[list[MotionWindow], list[str]]:
    """Cut clips into windows; returns them and the name of each style (a talker of the corpus, or a motion clip)."""
    limit = torch.tensor(MAX_MOTION)
    by_style: dict[str, list[MotionWindow]] = {}
    styles: list[str] = []
    for clip in clips:
        name = clip.name if clip.corpus == "motion" else clip.corpus
        rest = clip.pose[clip.valid].median(0).values
        stride = 2 if clip.corpus == "motion" else 8
        for start in range(0, clip.pose.shape[0] - SEQUENCE + 1, stride):
            part = slice(start, start + SEQUENCE)
            motion = clip.pose[part] - rest
            if clip.valid[part].all() and (motion.abs() < limit).all():
                mel = clip.windows[part] if clip.windows is not None else None
                by_style.setdefault(name, []).append(MotionWindow(0, motion, rest, mel))
    windows: list[MotionWindow] = []
    for name, found in sorted(by_style.items()):
        if len(found) >= MIN_WINDOWS:
            windows += [MotionWindow(len(styles), w.motion, w.rest, w.mel) for w in found]
            styles.append(name)
    return windows, styles


def speed_of(motion: Tensor) -> Tensor:
    """(32,) how fast the head moves in (32, 6), smoothed over five frames."""
    speed = (motion[1:, :3] - motion[:-1, :3]).norm(dim=1)
    speed = torch.cat((speed[:1], speed))
    return F.avg_pool1d(speed[None], 5, 1, 2, count_include_pad=False)[0]


def loudness_of(mel: Tensor) -> Tensor:
    """(32,) mean log-mel of the windows (32, 1, 80, 16), smoothed over five frames."""
    return F.avg_pool1d(mel.float().mean((1, 2, 3))[None], 5, 1, 2, count_include_pad=False)[0]


def draw_batches(
    windows: list[MotionWindow], training: PoseVAETraining, generator: torch.Generator
) -> Iterator[PoseBatch]:
    """Endless batches with every style equally often.

    The motion clips may not lend their voices, so a silent window borrows speech: of several candidates the one whose
    loudness follows the head's speed best. That keeps the one thing the network can learn here, that heads move more
    where the voice is strong.
    """
    by_style: dict[int, list[MotionWindow]] = {}
    for window in windows:
        by_style.setdefault(window.style, []).append(window)
    voices = torch.stack([w.mel for w in windows if w.mel is not None])  # (V, 32, 1, 80, 16)
    loudness = F.normalize(torch.stack([_centred(loudness_of(mel)) for mel in voices]), dim=1)
    while True:
        styles = torch.randint(len(by_style), (training.batch_size,), generator=generator)
        chosen = [
            by_style[int(s)][int(torch.randint(len(by_style[int(s)]), (1,), generator=generator))] for s in styles
        ]
        mels: list[Tensor] = []
        for window in chosen:
            if window.mel is not None:
                mels.append(window.mel)
                continue
            candidates = torch.randint(voices.shape[0], (training.audio_candidates,), generator=generator)
            fit = loudness[candidates] @ _centred(speed_of(window.motion))
            mels.append(voices[candidates[fit.argmax()]])
        mel = torch.stack(mels).float()
        mel = augment_mel(mel.flatten(0, 1), generator).reshape(mel.shape)
        motion = torch.stack([w.motion for w in chosen])
        rest = torch.stack([w.rest for w in chosen])
        # A mirrored head is as natural as the real one: yaw, roll and x change their signs.
        sign = torch.ones(len(chosen), 1, 6)
        sign[torch.rand(len(chosen), generator=generator) < 0.5] = torch.tensor((1.0, -1, -1, -1, 1, 1))
        rest = rest * sign[:, 0] + 0.1 * torch.randn(rest.shape, generator=generator)
        yield PoseBatch(motion * sign, rest, styles, mel)


def train_posevae(
    windows: list[MotionWindow], styles: int, training: PoseVAETraining
) -> tuple[PoseVAE, dict[str, float]]:
    """Train from scratch; returns the network in inference mode and the last mean of each loss term."""
    torch.manual_seed(training.seed)
    generator = torch.Generator().manual_seed(training.seed)
    network = PoseVAE(PoseVAEConfig(styles=styles)).train()
    optimiser = torch.optim.AdamW(network.parameters(), training.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, total_steps=training.steps, pct_start=0.1
    )
    # Each of the six numbers counts in units of its own spread: radians and lengths are not comparable.
    spread = torch.stack([w.motion for w in windows]).flatten(0, 1).std(0)
    batches = draw_batches(windows, training, generator)
    means: dict[str, float] = {}
    bar = tqdm(range(training.steps), desc="posevae", unit="step")
    for _ in bar:
        terms = _step_terms(network, next(batches), spread, training, generator)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        means = {name: 0.98 * means.get(name, float(term)) + 0.02 * float(term) for name, term in terms.items()}
        bar.set_postfix({name.split("/")[1]: f"{value:.4f}" for name, value in means.items()})
    return network.eval(), means


def _step_terms(
    network: PoseVAE, batch: PoseBatch, spread: Tensor, training: PoseVAETraining, generator: torch.Generator
) -> dict[str, Tensor]:
    size = batch.motion.shape[0]
    with torch.autocast(batch.mel.device.type, torch.bfloat16):
        audio = network.audio_encoder(batch.mel.flatten(0, 1))
    audio = audio.float().reshape(size, SEQUENCE, -1)
    mean, log_variance = network.encode(batch.motion, batch.style, batch.rest, audio)
    noise = torch.randn(mean.shape, generator=generator)
    motion = network.decode(mean + noise * (0.5 * log_variance).exp(), batch.style, batch.rest, audio)
    error, velocity_error = (motion - batch.motion) / spread, ((motion - batch.motion) / spread).diff(dim=1)
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
    return {
        "posevae/reconstruction": error.square().mean(),
        "posevae/velocity": training.velocity_weight * velocity_error.square().mean(),
        "posevae/divergence": training.kl_weight * divergence,
    }


def _centred(curve: Tensor) -> Tensor:
    return curve - curve.mean()
