"""Train ExpNet in the open basis: mel window, own expression and blink ratio -> expression.

Paper, section 3.2: the target moves the lips only; everything else comes from the portrait's own coefficients, and the
eyes follow the blink ratio. Losses: distance of the coefficients (distillation), of the mouth's and eyes' landmarks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import cos, pi
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from ..audio.encoder import AUDIO_FEATURES
from ..audio.mel import BANDS, LIMIT
from ..audio.windows import COLUMNS
from ..expnet.model import ExpNet
from ..face.measures import eye_opening, mouth_opening, mouth_width
from ..face.morphable import MorphableModel
from ..face.regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..flow import EXPRESSION_SIZE
from .checkpoint import restore_checkpoint, save_checkpoint
from .losses import running_means
from .precision import half_precision
from .speech_frames import SILENCE, SpeechFrames, draw_batch

CHECKPOINT_STEPS = 250
RESTART_RATE = 0.15
"""Fraction of the highest learning rate at which it starts again."""
EVEN_LEAD = 2.0
"""Columns by which the lips lead in all sources until the weights are averaged; then each has its own, ``LEAD``."""
AVERAGED_RATE = 0.11
"""Fraction of the highest learning rate at which it stays while the weights are averaged."""


@dataclass(frozen=True, slots=True)
class ExpNetTraining:
    """Every number of the run; travels in the file it makes."""

    falls: tuple[int, ...] = (18000, 27000)
    """After so many steps the learning rate has fallen to nothing and rises again, less high (Loshchilov and Hutter,
    "SGDR", 2017). A run that leaves out the last ones begins like this one"""
    averaged: int = 4000
    """steps after the last fall; the mean of the weights after each of them is what is kept (Izmailov et al.,
    "Averaging Weights Leads to Wider Optima and Better Generalization", 2018)"""
    anchor: int = 2700
    """steps that the weights before these count for in the mean (Wortsman et al., "Robust fine-tuning of zero-shot
    models", 2022)"""
    batch_size: int = 64
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    landmark_weight: float = 4.0
    """weight of the landmark terms against the coefficients' (both in canonical units squared a vertex)"""
    recorded_share: float = 0.09
    """fraction of each batch: the recordings themselves"""
    revoiced_share: float = 0.18
    """fraction of each batch: the recordings in other voices"""
    retold_share: float = 0.22
    """fraction of each batch: the recordings' sentences in synthetic voices"""
    synthetic_share: float = 0.29
    """fraction of each batch: espeak-ng, many languages"""
    flite_share: float = 0.07
    """fraction of each batch: Flite's voices and copies of them"""
    silence_share: float = 0.15
    """fraction of each batch: digital silence or noise, with closed lips"""
    blink_share: float = 0.2
    """fraction of each batch: eyes closed more or less"""
    dropout: float = 0.2
    """fraction of the audio features that is dropped"""
    seed: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """Share of each source in a batch."""
        return {
            "recorded": self.recorded_share,
            "revoiced": self.revoiced_share,
            "retold": self.retold_share,
            "synthetic": self.synthetic_share,
            "flite": self.flite_share,
            SILENCE: self.silence_share,
        }


class ExpNetLoss(nn.Module):
    """Coefficient distance plus landmark terms, all in canonical units."""

    weights: Tensor

    def __init__(self, model: MorphableModel, landmark_weight: float) -> None:
        super().__init__()
        self.model = model
        self.landmark_weight = landmark_weight
        weights = torch.full((model.mean.shape[0],), 1.0)
        weights[list(OUTER_LIPS)] = 8.0
        weights[list(INNER_LIPS)] = 16.0
        weights[[*LEFT_EYE, *RIGHT_EYE]] = 8.0
        self.register_buffer("weights", weights)

    def forward(self, predicted: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
        """Named terms for predictions and targets (B, 64), means over the rows weighted by ``weight`` (B,)."""
        ours = self.model.mean + self.model.offsets(predicted)
        theirs = self.model.mean + self.model.offsets(target)
        measures = [(measure(ours) - measure(theirs)).abs() for measure in (mouth_opening, mouth_width, eye_opening)]
        terms = {
            "expnet/distill": (predicted - target).square().sum(-1),
            "expnet/vertices": ((ours - theirs).square().sum(-1) * self.weights).sum(-1),
            "expnet/landmarks": self.landmark_weight * torch.stack(measures).sum(0),
        }
        return {name: (term * weight).mean() for name, term in terms.items()}


@torch.no_grad()
def start_from_own(network: ExpNet, frames: SpeechFrames) -> None:
    """Let the last layer begin where it must end for all but speech: the own face, and the lids of the ratio."""
    kept = torch.eye(EXPRESSION_SIZE) - frames.mouth - frames.eyelids
    network.mapping1.weight[:, AUDIO_FEATURES:-1] = kept.T
    network.mapping1.weight[:, -1] = frames.blink @ frames.eyelids
    network.mapping1.weight[:, :AUDIO_FEATURES] *= 0.1
    network.mapping1.bias.copy_(frames.resting.mean(0) @ (frames.mouth + frames.eyelids))


def train_expnet(
    model: MorphableModel,
    frames: SpeechFrames,
    training: ExpNetTraining,
    checkpoint: Path,
    trained: ExpNet | None = None,
) -> tuple[ExpNet, dict[str, float]]:
    """Train from scratch, or from where ``checkpoint`` stopped; returns the mean network and the loss terms.

    The network is in inference mode; each loss term is the running mean of its last values.

    Args:
        trained: a network that only goes through the steps that are averaged; None begins with none.
    """
    torch.manual_seed(training.seed)
    generator = torch.Generator().manual_seed(training.seed)
    network = ExpNet()
    if trained is None:
        start_from_own(network, frames)
    else:
        network.load_state_dict(trained.state_dict())
    network.train().audio_encoder.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    averaged = anchored_mean(network, training.anchor)
    loss_of = ExpNetLoss(model, training.landmark_weight)
    optimiser = torch.optim.AdamW(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    modules = {"network": network, "mean": averaged}
    run = asdict(training) | {f"frames {name}": len(numbers) for name, numbers in frames.source.items()}
    done = restore_checkpoint(checkpoint, run, modules, optimiser, generator)
    even = replace(frames, lead=torch.full_like(frames.lead, EVEN_LEAD))
    fallen = training.falls[-1]
    steps = fallen + training.averaged
    if trained is not None and done < fallen:
        done = fallen
        averaged.update_parameters(network)
    means: dict[str, float] = {}
    bar = tqdm(range(done, steps), desc="expnet", unit="step", mininterval=5, initial=done, total=steps)
    for step in bar:
        for group in optimiser.param_groups:
            group["lr"] = training.learning_rate * learning_curve(step, training.falls)
        batch = draw_batch(
            frames if step >= fallen else even, training.batch_size, training.shares, training.blink_share, generator
        )
        with half_precision(batch.mel.device):
            # The network's own forward pass but for the dropout, which is no part of the original architecture.
            audio = drop(network.hear(batch.mel), training.dropout, generator)
            predicted = network.express(audio, batch.own, batch.ratio)
        terms = loss_of(predicted.float(), batch.target, batch.weight)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step + 1 >= fallen:
            averaged.update_parameters(network)
        means = running_means(means, terms)
        bar.set_postfix({name.split("/")[1]: f"{value:.4f}" for name, value in means.items()}, refresh=False)
        if (step + 1) % CHECKPOINT_STEPS == 0:
            save_checkpoint(checkpoint, step + 1, run, modules, optimiser, generator)
    kept = ExpNet()
    kept.load_state_dict(averaged.module.state_dict())
    return kept.eval(), means


def anchored_mean(network: ExpNet, anchor: int) -> AveragedModel:
    """Mean of the weights and buffers that it is given, the first of which count ``anchor`` times."""
    return AveragedModel(
        network, avg_fn=lambda mean, new, count: mean + (new - mean) / (anchor + count), use_buffers=True
    )


def drop(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Features (B, 512) with a random ``share``, in [0, 1), of them zero and the others scaled up by 1 / (1 - share).

    As torch's dropout, which draws from the process's generator; what this draws, a checkpoint repeats.
    """
    kept = torch.rand(features.shape, generator=generator) >= share
    return features * kept.to(features) / (1 - share)


def learning_curve(step: int, falls: Sequence[int]) -> float:
    """Learning rate as a share of its peak: up in a tenth of the first fall, down a cosine to each end, then level."""
    number = bisect_right(falls, step)
    if number == len(falls):
        return AVERAGED_RATE
    start = falls[number - 1] if number else 0
    progress = (step - start) / (falls[number] - start)
    if number:
        return RESTART_RATE * (0.5 + 0.5 * cos(pi * progress))
    rise = min(1.0, 0.04 + progress / 0.1)
    fall = max(0.0, (progress - 0.1) / 0.9)
    return rise * (0.5 + 0.5 * cos(pi * fall))


@torch.no_grad()
def amplify_speech(network: ExpNet, frames: SpeechFrames, gain: float) -> None:
    """Fold a gain of what speech does to mouth and jaw into the last layer; what silence gives stays.

    Squared errors make a network move too little where it is unsure, and with a new voice it always is.
    """
    silence = network.hear(torch.full((1, 1, BANDS, COLUMNS), -LIMIT))  # (1, 512)
    audio = network.mapping1.weight[:, :AUDIO_FEATURES]
    more = (gain - 1) * frames.mouth.T @ audio
    audio += more
    network.mapping1.bias.sub_((silence @ more.T)[0])
