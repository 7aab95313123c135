"""Data -> the open pack: tracks -> 3DMM -> ExpNet -> PoseVAE -> ``assets/open``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..expnet.model import ExpNet
from ..expnet.predict import predict_expression
from ..face3d.morphable import MorphableModel
from ..flow import MODEL_FPS, BlinkCurve, MelWindows
from ..weights.export import write_safetensors
from ..weights.open_pack import load_expnet, load_morphable_model
from .expnet import ExpNetTraining, gather_frames, train_expnet
from .morphable_model import build_morphable_model
from .posevae import PoseVAETraining, motion_windows, train_posevae
from .speech_data import FittedClip, fit_clip, mouth_opening
from .tracks import CORPORA, read_tracks, track_corpora

LOG = logging.getLogger(__name__)
HELD_OUT_EVERY = 20
"""Each so many-th clip of the training speaker is kept for measuring."""


@dataclass(frozen=True, slots=True)
class OpenPackTraining:
    """Where things are and how long to train."""

    data: Path
    cache: Path
    out: Path
    workers: int = 2
    expnet: ExpNetTraining = ExpNetTraining()
    posevae: PoseVAETraining = PoseVAETraining()


def build_open_pack(plan: OpenPackTraining, stages: tuple[str, ...]) -> dict[str, float]:
    """Run the stages that are asked for, in order, and return their figures; earlier stages' files are read back."""
    figures: dict[str, float] = {}
    actions: dict[str, Callable[[], dict[str, float]]] = {
        "tracks": lambda: _make_tracks(plan),
        "morphable": lambda: _make_morphable_model(plan),
        "expnet": lambda: _make_expnet(plan),
        "posevae": lambda: _make_posevae(plan),
        "measure": lambda: measure_openings(
            load_expnet(plan.out / "expnet.safetensors"), load_morphable_model(plan.out / "morphable.safetensors"), plan
        ),
    }
    for stage in stages:
        figures |= actions[stage]()
        LOG.info("%s: %s", stage, json.dumps({k: round(v, 5) for k, v in figures.items()}))
    return figures


def measure_openings(expnet: ExpNet, model: MorphableModel, plan: OpenPackTraining) -> dict[str, float]:
    """Mean correlation, and spread, of predicted against tracked mouth opening on clips the training did not see."""
    figures: dict[str, float] = {}
    held_out = _fitted(plan, model, "grid_s1")[::HELD_OUT_EVERY]
    for name, clips in (("seen speaker", held_out), ("other speakers", _fitted(plan, model, "grid_multi"))):
        pairs = [(predicted_opening(expnet, model, clip), clip.opening[clip.valid]) for clip in clips]
        correlations = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])
        spreads = torch.stack([predicted.std() / tracked.std() for predicted, tracked in pairs])
        figures[f"opening correlation, {name}"] = float(correlations.mean())
        figures[f"opening spread, {name}"] = float(spreads.mean())
    return figures


def predicted_opening(expnet: ExpNet, model: MorphableModel, clip: FittedClip) -> Tensor:
    """(V,) inner-lip distance that ExpNet predicts for the valid frames of a voiced clip, given its first frame."""
    assert clip.windows is not None
    mel = MelWindows(clip.windows, MODEL_FPS)
    blink = BlinkCurve(clip.closure, MODEL_FPS)
    track = predict_expression(expnet, mel, clip.expression[0], blink, basis=model.basis)
    assert track.expression is not None
    return mouth_opening(model.mean + model.offsets(track.expression))[clip.valid]


def _make_tracks(plan: OpenPackTraining) -> dict[str, float]:
    track_corpora(plan.data, plan.cache, CORPORA, plan.workers)
    return {}


def _make_morphable_model(plan: OpenPackTraining) -> dict[str, float]:
    clips = [*read_tracks(plan.data, plan.cache, "grid_s1")][::2] + [*read_tracks(plan.data, plan.cache, "motion")]
    model, facts = build_morphable_model(clips)
    write_safetensors(plan.out / "morphable.safetensors", model.state_dict(), {"basis": model.basis, "facts": facts})
    return facts


def _make_expnet(plan: OpenPackTraining) -> dict[str, float]:
    model = load_morphable_model(plan.out / "morphable.safetensors")
    clips = _fitted(plan, model, "grid_s1")
    training = [clip for number, clip in enumerate(clips) if number % HELD_OUT_EVERY]
    people = [clip.expression[clip.valid].median(0).values for clip in _fitted(plan, model, "motion")]
    frames = gather_frames(training, torch.stack(people))
    network, losses = train_expnet(model, frames, plan.expnet)
    config = {"basis": model.basis, "training": asdict(plan.expnet)}
    write_safetensors(plan.out / "expnet.safetensors", network.state_dict(), config)
    return losses


def _make_posevae(plan: OpenPackTraining) -> dict[str, float]:
    model = load_morphable_model(plan.out / "morphable.safetensors")
    clips = _fitted(plan, model, "grid_s1")[::4] + _fitted(plan, model, "motion")
    windows, styles = motion_windows(clips, plan.posevae.min_windows)
    LOG.info("styles: %s", ", ".join(f"{number} {name}" for number, name in enumerate(styles)))
    network, losses = train_posevae(windows, len(styles), load_expnet(plan.out / "expnet.safetensors"), plan.posevae)
    write_safetensors(plan.out / "posevae.safetensors", network.state_dict(), asdict(network.config))
    return losses | {"styles": float(len(styles))}


def _fitted(plan: OpenPackTraining, model: MorphableModel, corpus: str) -> list[FittedClip]:
    tracks = read_tracks(plan.data, plan.cache, corpus)
    usable = (track for track in tracks if not track.points.isnan().any(-1).any(-1).all())
    return [fit_clip(model, track) for track in usable]
