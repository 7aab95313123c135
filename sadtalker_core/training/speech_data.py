"""Tracks -> tensors for the audio networks: mel windows, expression targets, blink labels, head pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..audio.windows import mel_windows
from ..face3d.morphable import MorphableModel
from ..face3d.regions import LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from ..flow import MODEL_FPS, Waveform
from .tracks import ClipTrack

UPPER_LOWER_LIP = (13, 14)
MOUTH_CORNERS = (61, 291)
EYE_APERTURES = (((159, 145), (33, 133)), ((386, 374), (362, 263)))
"""For each eye the middle of upper and lower lid, and the two corners."""


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


def fit_clip(model: MorphableModel, clip: ClipTrack) -> FittedClip:
    """Fit the 3DMM to each frame of a clip; frames without a face repeat the nearest fit and are marked invalid."""
    valid = ~clip.points.isnan().any(-1).any(-1)
    nearest = _nearest_valid(valid)
    fit = model.fit(clip.points[nearest], clip.width, clip.height)
    shape = model.shape(fit.identity, fit.expression)
    windows = None
    if clip.waveform is not None:
        count = clip.points.shape[0]
        needed = count * 640
        samples = clip.waveform.samples[:needed]
        samples = torch.cat((samples, samples.new_zeros(needed - samples.shape[0])))
        windows = mel_windows(Waveform(samples), MODEL_FPS).windows
    # The track's own depth: the scale of each frame against the clip's median (see ``pose_points``).
    scale = fit.camera.scale
    depth = 10.0 * (1 - scale.median() / scale)
    pose = torch.cat((fit.pose[:, :5], depth[:, None]), 1)
    return FittedClip(
        clip.name, clip.corpus, fit.expression, pose, mouth_opening(shape), eye_closure(shape), valid, windows
    )


def mouth_opening(shape: Tensor) -> Tensor:
    """Distance (B,) between the middle of the inner lips of vertices (B, 478, 3)."""
    upper, lower = UPPER_LOWER_LIP
    return (shape[:, upper] - shape[:, lower]).norm(dim=-1)


def mouth_width(shape: Tensor) -> Tensor:
    """Distance (B,) between the mouth's corners."""
    left, right = MOUTH_CORNERS
    return (shape[:, left] - shape[:, right]).norm(dim=-1)


def eye_aspect(shape: Tensor) -> Tensor:
    """Height over width of the eyes (B,), mean of both."""
    ratios = [
        (shape[:, upper] - shape[:, lower]).norm(dim=-1) / (shape[:, a] - shape[:, b]).norm(dim=-1)
        for (upper, lower), (a, b) in EYE_APERTURES
    ]
    return torch.stack(ratios).mean(0)


def eye_closure(shape: Tensor) -> Tensor:
    """(T,) closure of the eyes of one clip: 0 at the clip's 70th percentile of openness, 1 at a quarter of it."""
    aspect = eye_aspect(shape)
    wide_open = aspect.quantile(0.7)
    return ((wide_open - aspect) / (0.75 * wide_open)).clamp(0, 1)


def speech_region(model: MorphableModel) -> Tensor:
    """(478,) weight of each vertex in what speech and blinks may move: 1 at mouth, jaw and eyelids, 0 at brow and nose.

    The paper lets the audio drive the lips only and keeps the rest of the reference (section 3.2).
    """
    y = model.mean[:, 1]
    nose_base, lips = y[2], y[list(OUTER_LIPS)].mean()
    lower_face = torch.sigmoid((0.5 * (nose_base + lips) - y) / 0.04)
    eyes = model.mean[[*LEFT_EYE, *RIGHT_EYE]]
    eyelids = torch.sigmoid((0.09 - torch.cdist(model.mean, eyes).amin(1)) / 0.015)
    return torch.maximum(lower_face, eyelids)


def _nearest_valid(valid: Tensor) -> Tensor:
    """(T,) index of the valid frame nearest to each frame."""
    frames = torch.arange(valid.shape[0])
    good = frames[valid]
    return good[(frames[:, None] - good[None]).abs().argmin(1)]
