"""Train ExpNet in the open basis: mel window, reference expression and blink ratio -> expression.

Paper, section 3.2: the target moves the lips only; everything else comes from the reference coefficients, and the
eyes follow the blink ratio. Losses: distance of the coefficients (distillation), of the mouth's and eyes' landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..expnet.model import ExpNet
from ..face3d.morphable import MorphableModel
from ..face3d.regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from .augment import augment_mel
from .losses import running_means
from .speech_data import FittedClip, eye_aspect, mouth_opening, mouth_width, speech_region


@dataclass(frozen=True, slots=True)
class ExpNetTraining:
    """Every number of the run; travels in the file it makes."""

    steps: int = 1500
    batch_size: int = 192
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    landmark_weight: float = 4.0
    """of the landmark terms against the coefficients' (both in canonical units squared a vertex)"""
    silence_share: float = 0.04
    """of each batch: digital silence or faint noise, with the lips of the clip's most closed frame"""
    blink_share: float = 0.15
    """of each batch drawn from frames with closing eyes"""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SpeechFrames:
    """All voiced frames of the training clips, side by side."""

    windows: Tensor
    """(N, 1, 80, 16)"""
    expression: Tensor
    """(N, 64)"""
    closure: Tensor
    """(N,)"""
    clip: Tensor
    """(N,) number of the clip"""
    first: Tensor
    """(C,) first frame of each clip"""
    count: Tensor
    """(C,) frames of each clip"""
    closed: Tensor
    """(C, 64) mean expression of each clip's most closed mouths"""
    offsets: Tensor
    """(M, 64) how people's resting expressions differ from the speaker's: what a reference may carry"""


@dataclass(frozen=True, slots=True)
class Batch:
    mel: Tensor
    reference: Tensor
    ratio: Tensor
    target: Tensor


def gather_frames(clips: list[FittedClip], resting: Tensor) -> SpeechFrames:
    """Put voiced clips side by side; ``resting`` (M, 64) are the resting expressions of other people."""
    voiced = [clip for clip in clips if clip.windows is not None]
    keep = [clip.valid for clip in voiced]
    counts = torch.tensor([int(valid.sum()) for valid in keep])
    closed = torch.stack([_closed_mouth(clip) for clip in voiced])
    expression = torch.cat([clip.expression[valid] for clip, valid in zip(voiced, keep, strict=True)])
    windows = [clip.windows[valid] for clip, valid in zip(voiced, keep, strict=True) if clip.windows is not None]
    return SpeechFrames(
        windows=torch.cat(windows).half(),
        expression=expression,
        closure=torch.cat([clip.closure[valid] for clip, valid in zip(voiced, keep, strict=True)]),
        clip=torch.arange(len(voiced)).repeat_interleave(counts),
        first=counts.cumsum(0) - counts,
        count=counts,
        closed=closed,
        offsets=resting - expression.median(0).values,
    )


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

    def forward(self, predicted: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Named terms for predictions and targets (B, 64)."""
        ours = self.model.mean + self.model.offsets(predicted)
        theirs = self.model.mean + self.model.offsets(target)
        vertices = ((ours - theirs).square().sum(-1) * self.weights).sum(-1).mean()
        measures = [F.l1_loss(measure(ours), measure(theirs)) for measure in (mouth_opening, mouth_width, eye_aspect)]
        return {
            "expnet/distill": F.mse_loss(predicted, target) * target.shape[1],
            "expnet/vertices": vertices,
            "expnet/landmarks": self.landmark_weight * torch.stack(measures).sum(),
        }


def draw_batches(
    frames: SpeechFrames, region: Tensor, training: ExpNetTraining, generator: torch.Generator
) -> Iterator[Batch]:
    """Endless random batches. ``region`` (64, 64) maps a change of expression to the part that speech may move."""
    blinking = torch.nonzero(frames.closure > 0.3)[:, 0]
    total, size = frames.expression.shape[0], training.batch_size
    quiet, blinks = int(size * training.silence_share), int(size * training.blink_share)
    silent = slice(size - quiet, size)
    while True:
        chosen = torch.randint(total, (size,), generator=generator)
        if len(blinking):
            chosen[:blinks] = blinking[torch.randint(len(blinking), (blinks,), generator=generator)]
        clip = frames.clip[chosen]
        step = (torch.rand(size, generator=generator) * frames.count[clip]).long()
        reference = frames.expression[frames.first[clip] + step]
        mel = augment_mel(frames.windows[chosen].float(), generator)
        target = frames.expression[chosen].clone()
        mel[silent] = -4 + 0.8 * torch.rand(quiet, 1, 1, 1, generator=generator) * torch.rand(
            (quiet, *mel.shape[1:]), generator=generator
        )
        target[silent] = frames.closed[clip[silent]]
        ratio = frames.closure[chosen, None].clone()
        ratio[silent] = 0
        # Only mouth, jaw and eyelids follow the speech; the rest stays as in the reference.
        target = reference + (target - reference) @ region
        # Whatever a reference carries beyond the speaker's own face must reach the output unchanged.
        pairs = torch.randint(frames.offsets.shape[0], (2, size), generator=generator)
        mix = torch.randn(2, size, 1, generator=generator) * 0.7
        offset = (mix * frames.offsets[pairs]).sum(0)
        yield Batch(mel, reference + offset, ratio, target + offset)


def region_matrix(model: MorphableModel) -> Tensor:
    """(64, 64) right-multiplied matrix: the change of expression masked to the speech region, in coefficients."""
    basis = model.expression_basis.flatten(1)
    mask = speech_region(model).repeat_interleave(3)
    return (basis * mask) @ basis.T


def train_expnet(
    model: MorphableModel, frames: SpeechFrames, training: ExpNetTraining
) -> tuple[ExpNet, dict[str, float]]:
    """Train from scratch; returns the network in inference mode and the last mean of each loss term."""
    torch.manual_seed(training.seed)
    generator = torch.Generator().manual_seed(training.seed)
    network = ExpNet().train()
    loss_of = ExpNetLoss(model, training.landmark_weight)
    optimiser = torch.optim.AdamW(network.parameters(), training.learning_rate, weight_decay=training.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, total_steps=training.steps, pct_start=0.1
    )
    batches = draw_batches(frames, region_matrix(model), training, generator)
    means: dict[str, float] = {}
    bar = tqdm(range(training.steps), desc="expnet", unit="step", mininterval=5)
    for _ in bar:
        batch = next(batches)
        with torch.autocast(batch.mel.device.type, torch.bfloat16):
            predicted = network(batch.mel, batch.reference, batch.ratio)
        terms = loss_of(predicted.float(), batch.target)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        means = running_means(means, terms)
        bar.set_postfix({name.split("/")[1]: f"{value:.4f}" for name, value in means.items()}, refresh=False)
    return network.eval(), means | {f"training/{k}": float(v) for k, v in asdict(training).items()}


def _closed_mouth(clip: FittedClip) -> Tensor:
    """Mean expression (64,) of the tenth of a clip's frames whose lips are closest."""
    opening = torch.where(clip.valid, clip.opening, torch.inf)
    count = max(1, int(clip.valid.sum()) // 10)
    return clip.expression[opening.argsort()[:count]].mean(0)
