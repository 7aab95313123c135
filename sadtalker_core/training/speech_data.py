"""Tracks -> tensors for the audio networks: mel windows, expression targets, blink labels, head pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..audio.mel import log_mel
from ..audio.windows import cut_windows
from ..face.measures import eye_closure, eye_opening, mouth_opening
from ..face.morphable import MorphableModel
from ..face.regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..flow import MODEL_FPS, SAMPLE_RATE, Waveform
from .tracks import ClipTrack

"""For each eye the middle of upper and lower lid, and the two corners."""
LIP_PAIRS = tuple((INNER_LIPS[i], INNER_LIPS[-i]) for i in range(1, 10))
"""Vertices of the upper and lower lip that touch when the mouth is closed."""
LIP_TOLERANCE = 1e-4
"""Squared distance, canonical units, that ``close_lips`` leaves rather than bend the face beyond its prior."""


@dataclass(frozen=True, slots=True)
class FittedClip:
    """One clip in coefficients, frame by frame, at 25 frames a second."""

    name: str
    corpus: str
    expression: Tensor
    """(T, 64)"""
    pose: Tensor
    """(T, 6)"""
    opening: Tensor
    """(T,) distance between the inner lips, canonical units"""
    closure: Tensor
    """(T,) how far the eyes are closed, 0..1, against the clip's own open eye"""
    valid: Tensor
    """(T,) bool: a face was found"""
    windows: Tensor | None
    """(T, 1, 80, 16) or None without a voice"""
    mel: Tensor | None = None
    """(C, 80) log-mel columns of the windows"""
    samples: Tensor | None = None
    """(640 T,) the sound of the frames, 16 kHz"""


def fit_clip(model: MorphableModel, clip: ClipTrack) -> FittedClip:
    """Fit the 3DMM to each frame of a clip; frames without a face repeat the nearest fit and are marked invalid."""
    valid = ~clip.points.isnan().any(-1).any(-1)
    nearest = _nearest_valid(valid)
    fit = model.fit(clip.points[nearest], clip.width, clip.height)
    shape = model.shape(fit.identity, fit.expression)
    voice = None if clip.waveform is None else _voice_of_frames(clip.waveform, clip.points.shape[0])
    mel = None if voice is None else log_mel(voice)
    windows = None if mel is None else cut_windows(mel, clip.points.shape[0])
    # The track's own depth: the scale of each frame against the clip's median (see ``pose_points``).
    scale = fit.camera.scale
    depth = 10.0 * (1 - scale.median() / scale)
    pose = torch.cat((fit.pose[:, :5], depth[:, None]), 1)
    opening, closure = mouth_opening(shape), eye_closure(eye_opening(shape))
    return FittedClip(clip.name, clip.corpus, fit.expression, pose, opening, closure, valid, windows, mel, voice)


def resting_expression(clip: FittedClip) -> Tensor:
    """Mean expression (64,) of the tenth of a clip's frames whose lips are closest."""
    opening = torch.where(clip.valid, clip.opening, torch.inf)
    count = max(1, int(clip.valid.sum()) // 10)
    return clip.expression[opening.argsort()[:count]].mean(0)


def close_lips(model: MorphableModel, expression: Tensor) -> Tensor:
    """Expressions (B, 64) with the lips of the mean face brought together by the likeliest change under the prior."""
    upper, lower = torch.tensor(LIP_PAIRS).T
    movement = (model.expression_basis[:, upper] - model.expression_basis[:, lower]).flatten(1)  # (64, 27)
    gap = (model.mean[upper] - model.mean[lower]).flatten() + expression @ movement
    likely = movement * model.expression_deviation.square()[:, None]
    cost = movement.T @ likely + LIP_TOLERANCE * torch.eye(movement.shape[1])
    return expression - torch.linalg.solve(cost, gap.T).T @ likely.T


def mouth_region(model: MorphableModel) -> Tensor:
    """(478,) weight of each vertex in what speech may move: 1 at mouth and jaw, 0 at nose, eyes and brow.

    The paper lets the audio drive the lips only and keeps the rest of the portrait's own expression (section 3.2).
    """
    y = model.mean[:, 1]
    nose_base, lips = y[2], y[list(OUTER_LIPS)].mean()
    return torch.sigmoid((0.5 * (nose_base + lips) - y) / 0.04)


def eyelid_region(model: MorphableModel) -> Tensor:
    """(478,) weight of each vertex in what blinks may move: 1 at the eyelids, 0 from a tenth of the unit off."""
    eyes = model.mean[[*LEFT_EYE, *RIGHT_EYE]]
    return torch.sigmoid((0.09 - torch.cdist(model.mean, eyes).amin(1)) / 0.015)


def region_projection(model: MorphableModel, region: Tensor) -> Tensor:
    """(64, 64) right-multiplied matrix: a change of expression masked to a region (478,), in coefficients."""
    basis = model.expression_basis.flatten(1)
    return (basis * region.repeat_interleave(3)) @ basis.T


def blink_movement(clips: list[FittedClip]) -> Tensor:
    """Change of expression (64,) from open to closed eyes: the slope against closure within each clip."""
    numerator, denominator = torch.zeros(clips[0].expression.shape[1]), torch.tensor(1e-6)
    for clip in clips:
        closure = clip.closure[clip.valid] - clip.closure[clip.valid].mean()
        numerator = numerator + closure @ clip.expression[clip.valid]
        denominator = denominator + closure.square().sum()
    return numerator / denominator


def _voice_of_frames(waveform: Waveform, frames: int) -> Tensor:
    needed = frames * SAMPLE_RATE // MODEL_FPS
    samples = waveform.samples[:needed]
    return torch.cat((samples, samples.new_zeros(needed - samples.shape[0])))


def _nearest_valid(valid: Tensor) -> Tensor:
    """(T,) index of the valid frame nearest to each frame."""
    frames = torch.arange(valid.shape[0])
    good = frames[valid]
    return good[(frames[:, None] - good[None]).abs().argmin(1)]
