"""Data -> the open pack: tracks -> 3DMM -> ExpNet -> PoseVAE -> ``assets/open``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..audio.mel import log_mel
from ..audio.windows import cut_windows
from ..expnet.model import ExpNet
from ..expnet.predict import predict_expression
from ..face.measures import mouth_opening
from ..face.morphable import MorphableModel, load_morphable_model
from ..files.write import write_safetensors
from ..flow import MODEL_FPS, BlinkCurve, MelWindows, Waveform
from ..packs.open.load import SPEECH_SMOOTHING, load_expnet, load_posevae
from ..posevae.model import PoseVAE
from .coarticulation import Coarticulation, fit_coarticulation
from .expnet import ExpNetTraining, amplify_speech, train_expnet
from .morphable_model import build_morphable_model
from .phoneme_speech import speak
from .posevae import PoseVAETraining, drawn_tracks, hear, motion_spread, motion_windows, train_posevae
from .retold_speech import Sentence, retold_utterances
from .revoice import Copy, Revoicing, revoiced_copies
from .speech_alignment import align, grid_sentence, realign
from .speech_data import FittedClip, blink_movement, fit_clip
from .speech_frames import SpeechFrames, Utterance, gather_frames, recorded, revoiced
from .synthetic_speech import flite_utterances, quiet_utterances, synthetic_utterances, within_silence
from .tracks import CORPORA, read_tracks, track_corpora

LOG = logging.getLogger(__name__)
HELD_OUT_EVERY = 20
"""Each so many-th clip of the training speaker is kept for measuring."""
OPEN_EYES = 0.3
"""Closure up to which the eyes of a tracked face count as open."""
FACES_EVERY = 5
"""Frames of the motion clips of one face that an own expression may carry to the next."""
HEADS_EVERY = 4
"""Each so many-th clip of the training speaker is looked at for the motion of the head."""
MEASURED_VOICES = 100
"""Windows of speech for which head motion is drawn when it is measured."""
GRID_VOICE = "en-gb"
OTHER_SPEAKERS = 1.05
"""More of the gain for people who were never heard: in other voices the training speaker's sentences are still said his
way, and the network is surer of them. GRID's other speakers would be given 0.80 of their spread, and 0.84 with it."""


@dataclass(frozen=True, slots=True)
class OpenPackTraining:
    """Where things are and how long to train."""

    data: Path
    cache: Path
    out: Path
    workers: int = 2
    synthetic_utterances: int = 2400
    flite_utterances: int = 700
    """0: Flite is not used, nor are the recordings' sentences retold"""
    quiet_rooms: int = 300
    expnet_from: Path | None = None
    """an ExpNet's file to go on from instead of anew, see ``train_expnet``"""
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
        "measure": lambda: _measure(plan),
    }
    for stage in stages:
        figures |= actions[stage]()
        LOG.info("%s: %s", stage, json.dumps({k: round(v, 5) for k, v in figures.items()}))
    return figures


def _measure(plan: OpenPackTraining) -> dict[str, float]:
    model = load_morphable_model(plan.out / "morphable.safetensors")
    figures = measure_openings(load_expnet(plan.out / "expnet.safetensors"), model, plan)
    return figures | measure_spreads(load_posevae(plan.out / "posevae.safetensors"), _heads(plan, model), plan.posevae)


def measure_spreads(posevae: PoseVAE, clips: list[FittedClip], training: PoseVAETraining) -> dict[str, float]:
    """Spread of the head's angles in drawn tracks of each style, as a multiple of that of its clips.

    Silent clips count as livelier than they are, as in the training.
    """
    windows, styles = motion_windows(clips, training.min_windows, training.liveliness)
    voiced = [window for window in windows if window.mel is not None]
    generator = torch.Generator().manual_seed(training.seed)
    voices = hear(voiced[:: max(1, len(voiced) // MEASURED_VOICES)], posevae)
    drawn = drawn_tracks(posevae, voices, generator).var(2).mean(1)
    real = motion_spread(clips, styles, training.liveliness)
    ratios = drawn[:, :3].sqrt().mean(1) / real[:, :3].sqrt().mean(1)
    return {f"head spread, style {style}": float(ratio) for style, ratio in zip(styles, ratios, strict=True)}


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
    expression = predict_expression(expnet, mel, clip.expression[0], blink, smoothing=SPEECH_SMOOTHING)
    return mouth_opening(model.mean + model.offsets(expression))[clip.valid]


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
    copies = _copies(plan, clips)
    training = [clip for number, clip in enumerate(clips) if number % HELD_OUT_EVERY]
    frames = _speech_frames(plan, model, training, copies)
    trained = load_expnet(plan.expnet_from) if plan.expnet_from else None
    checkpoint = checkpoint_of(plan.cache, "expnet", plan.expnet_from)
    network, losses = train_expnet(model, frames, plan.expnet, checkpoint, trained)
    gain = OTHER_SPEAKERS * speech_gain(network, model, clips[::HELD_OUT_EVERY], copies)
    amplify_speech(network, frames, gain)
    config = {"basis": model.basis, "training": asdict(plan.expnet), "gain": gain}
    write_safetensors(plan.out / "expnet.safetensors", network.state_dict(), config)
    return losses | {"expnet/gain": gain}


def checkpoint_of(cache: Path, network: str, start: Path | None) -> Path:
    """Where a network's run goes on; what begins with another file, ``start``, has a checkpoint of its own."""
    name = f"{network}-from-{crc32(start.read_bytes()):08x}" if start else network
    return cache / f"{name}.safetensors"


def speech_gain(
    expnet: ExpNet, model: MorphableModel, held_out: list[FittedClip], copies: dict[str, list[Copy]]
) -> float:
    """What brings the spread of predicted mouth opening to the true one for new words in new voices."""
    spreads = []
    for clip in held_out:
        original = recorded(model, clip)
        for utterance in (revoiced(original, copy) for copy in copies[clip.name]):
            true = mouth_opening(model.mean + model.offsets(utterance.expression))[utterance.valid]
            spreads.append(true.std() / _opening_of(expnet, model, utterance).std())
    return float(torch.stack(spreads).mean())


def _opening_of(expnet: ExpNet, model: MorphableModel, utterance: Utterance) -> Tensor:
    mel = MelWindows(cut_windows(utterance.mel.float(), len(utterance.expression)), MODEL_FPS)
    expression = predict_expression(expnet, mel, utterance.resting, None, smoothing=SPEECH_SMOOTHING)
    return mouth_opening(model.mean + model.offsets(expression))[utterance.valid]


def _copies(plan: OpenPackTraining, clips: list[FittedClip]) -> dict[str, list[Copy]]:
    voices = [(clip.name, Waveform(clip.samples)) for clip in clips if clip.samples is not None]
    return revoiced_copies(voices, plan.cache / "revoiced" / "grid_s1", Revoicing(), plan.workers)


def _speech_frames(
    plan: OpenPackTraining, model: MorphableModel, clips: list[FittedClip], copies: dict[str, list[Copy]]
) -> SpeechFrames:
    """The training clips as they are, in other voices, and synthetic speech with the clips' coarticulation."""
    originals = [recorded(model, clip) for clip in clips]
    resting = torch.stack([original.resting for original in originals]).mean(0)
    utterances = [*originals]
    for clip, original in zip(clips, originals, strict=True):
        utterances += [revoiced(original, copy) for copy in copies[clip.name]]
    coarticulation, seed = _coarticulation(clips), plan.expnet.seed
    utterances += synthetic_utterances(model, coarticulation, resting, plan.synthetic_utterances, seed)
    if plan.flite_utterances:
        sentences = [
            Sentence(clip.name, grid_sentence(clip.name), original)
            for clip, original in zip(clips, originals, strict=True)
        ]
        utterances += retold_utterances(sentences, seed, plan.cache / "revoiced" / "retold", plan.workers)
        utterances += flite_utterances(
            model, coarticulation, resting, plan.flite_utterances, seed, plan.cache / "revoiced" / "flite", plan.workers
        )
    utterances += quiet_utterances(resting, plan.quiet_rooms, plan.expnet.seed)
    motion = _fitted(plan, model, "motion")
    faces = torch.cat([c.expression[c.valid & (c.closure < OPEN_EYES)][::FACES_EVERY] for c in motion])
    return gather_frames(model, utterances, faces, blink_movement(clips))


def _coarticulation(clips: list[FittedClip]) -> Coarticulation:
    """Fitted on GRID clips, whose names tell their words."""
    random = np.random.default_rng(0)
    found = []
    for clip in tqdm(clips, desc="align", unit="clip"):
        assert clip.mel is not None
        spoken = within_silence(speak(grid_sentence(clip.name), GRID_VOICE), random)
        found.append((align(spoken.phonemes, log_mel(spoken.samples), clip.mel), clip.mel))
    sharpened = zip(realign(found), clips, strict=True)
    return fit_coarticulation([(sounds, clip.expression, clip.valid) for sounds, clip in sharpened])


def _make_posevae(plan: OpenPackTraining) -> dict[str, float]:
    model = load_morphable_model(plan.out / "morphable.safetensors")
    clips, liveliness = _heads(plan, model), plan.posevae.liveliness
    windows, styles = motion_windows(clips, plan.posevae.min_windows, liveliness)
    LOG.info("styles: %s", ", ".join(f"{number} {name}" for number, name in enumerate(styles)))
    spread, expnet = motion_spread(clips, styles, liveliness), plan.out / "expnet.safetensors"
    checkpoint = checkpoint_of(plan.cache, "posevae", expnet)
    network, losses = train_posevae(windows, spread, len(styles), load_expnet(expnet), plan.posevae, checkpoint)
    write_safetensors(plan.out / "posevae.safetensors", network.state_dict(), asdict(network.config))
    return losses | {"styles": float(len(styles))}


def _heads(plan: OpenPackTraining, model: MorphableModel) -> list[FittedClip]:
    return _fitted(plan, model, "grid_s1")[::HEADS_EVERY] + _fitted(plan, model, "motion")


def _fitted(plan: OpenPackTraining, model: MorphableModel, corpus: str) -> list[FittedClip]:
    tracks = read_tracks(plan.data, plan.cache, corpus)
    usable = (track for track in tracks if not track.points.isnan().any(-1).any(-1).all())
    return [fit_clip(model, track) for track in usable]
