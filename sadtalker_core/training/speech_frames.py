"""What ExpNet learns from: utterances of several sources side by side, and batches drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..audio.mel import COLUMNS_PER_SECOND, LIMIT
from ..audio.windows import COLUMNS, window_starts
from ..face.morphable import MorphableModel
from ..flow import MODEL_FPS
from .augment import augment_mel
from .revoice import Copy
from .speech_data import FittedClip, close_lips, eyelid_region, mouth_region, region_projection, resting_expression

MARGIN = COLUMNS
"""Columns kept on both sides of an utterance, copies of its outermost ones, so that windows may reach beyond it."""
SILENCE = "silence"
"""The source of rooms in which nobody speaks."""
LEAD = {"recorded": 1.2, "revoiced": 1.2, "retold": 1.2, "synthetic": 3.2, "flite": 3.2, SILENCE: 0.0}
"""Columns of 12.5 ms by which the lips lead the window they are learned with, for each source. Squared errors make a
network move when it is sure of a sound, which is late: with no lead the openings of speakers it never heard come 10 to
20 ms after theirs. The mouths of the coarticulation model need more: learned with as much as tracked ones, voices
unlike GRID's come later than GRID's."""
DIGITAL_SHARE = 0.3
"""Fraction of the silence that is digital, without any noise."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech and the face that goes with it, 25 frames a second."""

    source: str
    """'recorded', 'revoiced', 'retold', 'synthetic', 'flite' or 'silence'"""
    mel: Tensor
    """(C, 80)"""
    expression: Tensor
    """(T, 64)"""
    valid: Tensor
    """(T,) bool"""
    resting: Tensor
    """(64,) the speaker's expression with closed lips"""
    weight: Tensor
    """(T,) how much each frame counts"""


@dataclass(frozen=True, slots=True)
class SpeechFrames:
    """All usable frames of the utterances."""

    columns: Tensor
    """(C, 80) half precision, the utterances' mel one after the other"""
    start: Tensor
    """(N,) first column of each frame's window, with no lead"""
    lead: Tensor
    """(N,) columns by which the lips lead it, not always whole"""
    expression: Tensor
    """(N, 64)"""
    weight: Tensor
    """(N,) how much each frame counts"""
    utterance: Tensor
    """(N,) number of the utterance"""
    first: Tensor
    """(U,) first frame of each utterance"""
    count: Tensor
    """(U,) frames of each utterance"""
    resting: Tensor
    """(U, 64)"""
    source: dict[str, Tensor]
    """frames of each source"""
    faces: Tensor
    """(M, 64) how other faces differ from the speaker's resting one: what an own expression may carry"""
    closed_faces: Tensor
    """(M, 64) the same with their lips closed: what of it must stay when they speak"""
    blink: Tensor
    """(64,) change of expression from open to closed eyes"""
    mouth: Tensor
    """(64, 64) maps a change of expression to the part that speech may move"""
    eyelids: Tensor
    """(64, 64) maps a change of expression to the part that blinks may move"""

    def windows(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Mel windows (B, 1, 80, 16) of the frames (B,); a lead between two columns is now the one, now the other."""
        lead = (self.lead[frames] + torch.rand(frames.shape, generator=generator)).long()
        wanted = (self.start[frames] - lead)[:, None] + torch.arange(COLUMNS)
        return self.columns[wanted].float().transpose(1, 2)[:, None].contiguous()


@dataclass(frozen=True, slots=True)
class Batch:
    mel: Tensor
    own: Tensor
    ratio: Tensor
    target: Tensor
    weight: Tensor
    """(B,) how much each row counts"""


def recorded(model: MorphableModel, clip: FittedClip) -> Utterance:
    """A voiced clip as it is."""
    assert clip.mel is not None
    resting = close_lips(model, resting_expression(clip)[None])[0]
    return Utterance("recorded", clip.mel.half(), clip.expression, clip.valid, resting, torch.ones(len(clip.valid)))


def revoiced(original: Utterance, copy: Copy) -> Utterance:
    """The face of a recorded utterance, stretched in time to the copy's duration."""
    count = min(int(len(original.valid) * copy.duration), frames_of(copy.mel))
    return face_at("revoiced", copy.mel, original, frame_seconds(count) / copy.duration)


def frames_of(mel: Tensor) -> int:
    """Whole frames that a mel (C, 80) fills."""
    return (mel.shape[0] - 1) * MODEL_FPS // COLUMNS_PER_SECOND


def frame_seconds(count: int) -> Tensor:
    """(count,) when each frame is; it shows the middle of its 40 ms."""
    return (torch.arange(count) + 0.5) / MODEL_FPS


def face_at(source: str, mel: Tensor, original: Utterance, seconds: Tensor) -> Utterance:
    """Other sound, mel (C, 80), with the face that the original has at ``seconds`` (T,)."""
    frames = original.expression.shape[0]
    position = (seconds * MODEL_FPS - 0.5).clamp(0, frames - 1)
    before = position.long().clamp(max=frames - 2)
    expression = torch.lerp(
        original.expression[before], original.expression[before + 1], (position - before)[:, None].float()
    )
    valid = original.valid[before] & original.valid[before + 1]
    return Utterance(source, mel.half(), expression, valid, original.resting, torch.ones(len(seconds)))


def gather_frames(model: MorphableModel, utterances: list[Utterance], faces: Tensor, blink: Tensor) -> SpeechFrames:
    """Put utterances side by side.

    Args:
        faces: (M, 64) tracked expressions of other people, eyes open.
        blink: (64,) change of expression from open to closed eyes.
    """
    padded = [F.pad(u.mel.half().T[None], (MARGIN, MARGIN), mode="replicate")[0].T for u in utterances]
    ends = torch.tensor([mel.shape[0] for mel in padded]).cumsum(0).tolist()
    starts = [
        (window_starts(u.expression.shape[0], MODEL_FPS) + MARGIN + end - mel.shape[0])[u.valid]
        for u, mel, end in zip(utterances, padded, ends, strict=True)
    ]
    count = torch.tensor([len(start) for start in starts])
    number = torch.arange(len(utterances)).repeat_interleave(count)
    resting = torch.stack([u.resting for u in utterances])
    sources = sorted({u.source for u in utterances})
    kind = torch.tensor([sources.index(u.source) for u in utterances])[number]
    neutral = resting[count > 0].mean(0)
    return SpeechFrames(
        columns=torch.cat(padded),
        start=torch.cat(starts),
        lead=torch.tensor([LEAD[u.source] for u in utterances])[number],
        expression=torch.cat([u.expression[u.valid] for u in utterances]),
        weight=torch.cat([u.weight[u.valid] for u in utterances]),
        utterance=number,
        first=count.cumsum(0) - count,
        count=count,
        resting=resting,
        source={name: torch.nonzero(kind == i)[:, 0] for i, name in enumerate(sources)},
        faces=faces - neutral,
        closed_faces=close_lips(model, faces) - neutral,
        blink=blink,
        mouth=region_projection(model, mouth_region(model)),
        eyelids=region_projection(model, eyelid_region(model)),
    )


def draw_batch(
    frames: SpeechFrames, size: int, shares: Mapping[str, float], blink_share: float, generator: torch.Generator
) -> Batch:
    """A random batch.

    Args:
        shares: of the batch for each source; sources that are not there leave theirs to the others.
        blink_share: of the batch whose eyes are closed, more or less.
    """
    available = {name: share for name, share in shares.items() if name in frames.source}
    weights = torch.tensor(list(available.values()))
    kinds = torch.multinomial(weights, size, replacement=True, generator=generator)
    pick = torch.rand(size, generator=generator)
    chosen, silent = torch.zeros(size, dtype=torch.long), torch.zeros(size, dtype=torch.bool)
    for kind, name in enumerate(available):
        of_kind, members = kinds == kind, frames.source[name]
        chosen[of_kind] = members[(pick[of_kind] * len(members)).long()]
        silent |= of_kind & (name == SILENCE)
    digital = silent & (torch.rand(size, generator=generator) < DIGITAL_SHARE)
    blinking = torch.rand(size, generator=generator) < blink_share
    ratio = torch.where(blinking, torch.rand(size, generator=generator), 0)
    return _batch(frames, chosen, digital, ratio[:, None], generator)


def _batch(frames: SpeechFrames, chosen: Tensor, digital: Tensor, ratio: Tensor, generator: torch.Generator) -> Batch:
    size = len(chosen)
    utterance = frames.utterance[chosen]
    step = (torch.rand(size, generator=generator) * frames.count[utterance]).long()
    own = frames.expression[frames.first[utterance] + step]
    resting = frames.resting[utterance]
    mel = augment_mel(frames.windows(chosen, generator), generator)
    mel[digital] = -LIMIT
    # Mouth and jaw follow the speech, the eyelids follow the ratio, and the rest stays as in the own expression.
    target = own + (frames.expression[chosen] - own) @ frames.mouth
    target = target + (resting + ratio * frames.blink - own) @ frames.eyelids
    # Whatever an own expression carries beyond the speaker's own face must reach the output, but for an open mouth.
    faces = torch.randint(frames.faces.shape[0], (size,), generator=generator)
    amount = 1.2 * torch.rand(size, 1, generator=generator)
    return Batch(
        mel,
        own + amount * frames.faces[faces],
        ratio,
        target + amount * frames.closed_faces[faces],
        frames.weight[chosen],
    )
