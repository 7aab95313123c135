"""How a pack moves faces: lips against real clips and known phonemes, silence, head, identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ..audio.waveform import silence
from ..audio.windows import mel_windows
from ..errors import SadTalkerError
from ..face.crop import crop_picture
from ..flow import SAMPLE_RATE, Waveform
from ..metrics.beat_align import beat_align, motion_beats, speech_onsets
from ..metrics.diversity import HeadDiversity, head_diversity
from ..metrics.identity import FaceEmbedder, identity_similarities
from ..metrics.loudness import loudness_mouth
from ..metrics.mouth import best_common_lag, lagged_correlations, measure_mouth, opening_in_range, spread_ratio
from ..metrics.requirements import NotMeasuredError
from ..pack import Pack
from ..pipeline import TalkingHeadOptions, talking_head
from ..training.phoneme_speech import EVALUATION_VOICES, speak, voices
from .clips import RealClip, head_angles
from .drive import (
    FRAME_SIZE,
    closed_frame,
    face_in_frame,
    first_frame,
    mesh_model,
    resting_mouth,
    room_noise,
    speaking_mouth,
)
from .phonemes import PhonemeFigures, SpokenMouth, measure_phonemes, sentences_for
from .video_clips import read_film

SILENCE_SECONDS = 2.0
TAKES = 20
"""Head motions made for each clip; seed and style differ. As many as the open pack has styles, so that each clip is
given each of them once."""
IDENTITY_SECONDS = 4.0
"""How much of each clip is rendered."""
IDENTITY_STEP = 5
"""Frames from one embedded frame to the next."""
SPEECH_RATE = 150
"""Words a minute of the synthetic voices."""


@dataclass(frozen=True, slots=True)
class ClipMouth:
    """One clip."""

    name: str
    correlation: float
    """between predicted and tracked opening, at lag 0"""
    best_lag: int
    spread: float
    loudness_correlation: float
    loudness_best_lag: int
    """where it agrees with ``best_lag``, and both are not 0, the clip's own sound and picture may be out of step"""


@dataclass(frozen=True, slots=True)
class MouthFigures:
    """A set of clips; means over the clips."""

    correlation: float
    best_lag: int
    """frames by which the prediction comes late, at the highest mean correlation"""
    best_lag_correlation: float
    spread: float
    loudness_correlation: float
    loudness_best_lag: int
    correlation_at_lag: dict[int, float]
    clips: list[ClipMouth]


@dataclass(frozen=True, slots=True)
class SilenceFigures:
    """95th percentile over the frames of the opening beyond the closed mouth's, as a fraction of the speaking range."""

    digital: float
    """mean over the clips' faces"""
    digital_worst: float
    noise: float
    noise_worst: float


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """Head motion; None where the clips have no sound or librosa is missing."""

    diversity: HeadDiversity
    real_diversity: HeadDiversity
    beat_align: float | None
    real_beat_align: float | None


@dataclass(frozen=True, slots=True)
class IdentityFigures:
    """Mean cosine of face embeddings."""

    rendered: float
    """between portrait and rendered frames"""
    neighbours: float
    """between neighbouring frames of the real clips"""
    frames: int
    """rendered frames in which a face was found"""
    frames_without_face: int


Figures = MouthFigures | PhonemeFigures | SilenceFigures | HeadFigures | IdentityFigures


def measure_motion(
    pack: Pack, clips: Sequence[RealClip], measures: Sequence[str], styles: Sequence[int] = ()
) -> dict[str, Figures | str]:
    """Take the ``measures`` (names of ``MEASURES``); what cannot be taken here is a sentence that says why.

    Args:
        styles: numbers of the head-motion styles that are measured; none: all.
    """
    results: dict[str, Figures | str] = {}
    taken = MEASURES | {"head": partial(head_figures, styles=styles)}
    for name in measures:
        try:
            results[name] = taken[name](pack, clips)
        except NotMeasuredError as error:
            results[name] = f"not measured: needs {error}"
    return results


def mouth_figures(pack: Pack, clips: Sequence[RealClip]) -> MouthFigures:
    """Predicted against tracked opening; the portrait is the first frame of each clip."""
    model = mesh_model(pack)
    predicted, loudness, rows = [], [], []
    for clip, waveform in tqdm(voiced(clips), desc="mouth", unit="clip"):
        tracked = measure_mouth(model, clip.points, clip.width, clip.height).opening
        ours = speaking_mouth(pack, face_in_frame(pack, clip, first_frame(clip)), waveform).opening
        predicted.append(lagged_correlations(ours, tracked))
        loudness.append(lagged_correlations(loudness_mouth(waveform.samples, len(tracked)), tracked))
        row = ClipMouth(
            clip.name,
            correlation=predicted[-1][0],
            best_lag=best_common_lag(predicted[-1:]),
            spread=spread_ratio(ours, tracked),
            loudness_correlation=loudness[-1][0],
            loudness_best_lag=best_common_lag(loudness[-1:]),
        )
        rows.append(row)
    at_lag = {lag: _mean([clip[lag] for clip in predicted]) for lag in predicted[0]}
    best = best_common_lag(predicted)
    return MouthFigures(
        correlation=at_lag[0],
        best_lag=best,
        best_lag_correlation=at_lag[best],
        spread=_mean([row.spread for row in rows]),
        loudness_correlation=_mean([row.loudness_correlation for row in rows]),
        loudness_best_lag=best_common_lag(loudness),
        correlation_at_lag=at_lag,
        clips=rows,
    )


def phoneme_figures(pack: Pack, clips: Sequence[RealClip]) -> PhonemeFigures:
    """Synthetic voices that training does not use speak through the clips' faces, lips closed in the portrait."""
    try:
        known = voices()
    except SadTalkerError as error:
        raise NotMeasuredError(f"the espeak-ng library ({error})") from error
    model = mesh_model(pack)
    spoken: list[SpokenMouth] = []
    chosen = [voice for voice in EVALUATION_VOICES if voice.split("+")[0] in known]
    for number, voice in enumerate(tqdm(chosen, desc="phonemes", unit="voice")):
        clip = clips[number % len(clips)]
        face = face_in_frame(pack, clip, closed_frame(model, clip))
        speeches = [speak(text, voice, rate=SPEECH_RATE) for text in sentences_for(voice)]
        mouths = [(s.phonemes, speaking_mouth(pack, face, Waveform(s.samples))) for s in speeches]
        spoken.append(SpokenMouth(voice, mouths, float(resting_mouth(model, face).opening)))
    return measure_phonemes(spoken)


def silence_figures(pack: Pack, clips: Sequence[RealClip]) -> SilenceFigures:
    """The clips' faces, lips closed in the portrait, listen to nothing and to a room."""
    model = mesh_model(pack)
    shares: dict[str, list[float]] = {"digital": [], "noise": []}
    for number, (clip, waveform) in enumerate(tqdm(voiced(clips), desc="silence", unit="clip")):
        face = face_in_frame(pack, clip, closed_frame(model, clip))
        closed = float(resting_mouth(model, face).opening)
        speaking = speaking_mouth(pack, face, waveform).opening
        quiet = {"digital": silence(SILENCE_SECONDS), "noise": room_noise(SILENCE_SECONDS, seed=number)}
        for name, sound in quiet.items():
            share = opening_in_range(speaking_mouth(pack, face, sound).opening, closed, speaking)
            shares[name].append(max(0.0, float(share.quantile(0.95))))
    digital, noise = shares["digital"], shares["noise"]
    return SilenceFigures(_mean(digital), max(digital), _mean(noise), max(noise))


def head_figures(pack: Pack, clips: Sequence[RealClip], styles: Sequence[int] = ()) -> HeadFigures:
    """Head motion over seeds and ``styles``, for the clips' own voices and lengths, against the clips' heads."""
    styles = styles or range(pack.styles)
    model = mesh_model(pack)
    real, made, real_scores, made_scores = [], [], [], []
    for number, clip in enumerate(tqdm(clips, desc="head", unit="clip")):
        real.append(head_angles(model, clip))
        if clip.waveform is None:
            continue
        takes = head_takes(pack, clip, clip.waveform, styles, number)
        made.extend(takes)
        try:
            onsets = speech_onsets(clip.waveform.samples)
        except NotMeasuredError:
            continue
        if onsets.numel():
            real_scores.append(beat_align(onsets, motion_beats(real[-1])))
            made_scores.extend(beat_align(onsets, motion_beats(take)) for take in takes)
    if not made:
        raise NotMeasuredError("clips with sound, to drive the head")
    scores = (_mean(made_scores), _mean(real_scores)) if real_scores else (None, None)
    return HeadFigures(head_diversity(made), head_diversity(real), *scores)


def head_takes(pack: Pack, clip: RealClip, waveform: Waveform, styles: Sequence[int], number: int) -> list[Tensor]:
    """``TAKES`` tracks (T, 3) of head angles; over the clips, which ``number`` counts, the styles come in turn."""
    face = face_in_frame(pack, clip, first_frame(clip))
    speech = pack.hear(mel_windows(waveform))
    tracks: list[Tensor] = []
    for take in range(number * TAKES, (number + 1) * TAKES):
        random = torch.Generator().manual_seed(take)
        style = styles[take % len(styles)]
        tracks.append(pack.draw_head(speech, face.pose, style, random)[:, :3])
    return tracks


def identity_figures(pack: Pack, clips: Sequence[RealClip]) -> IdentityFigures:
    """The first frame of each clip against frames rendered from it; the clips' neighbouring frames among themselves."""
    embedder = FaceEmbedder()
    rendered, neighbours, missing = [], [], 0
    for clip, waveform in tqdm(voiced(clips), desc="identity", unit="clip"):
        pictures = [*read_film(clip.path, seconds=IDENTITY_SECONDS).pictures()]
        portrait = pictures[min(first_frame(clip), len(pictures) - 1)]
        start = Waveform(waveform.samples[: int(IDENTITY_SECONDS * SAMPLE_RATE)])
        result = talking_head(pack, portrait, start, TalkingHeadOptions(size=FRAME_SIZE))
        source = embedder.embed(result.face.cropped)
        found = _embeddings(embedder, result.frames[::IDENTITY_STEP])
        if source is not None:
            rendered.append(identity_similarities(source, found))
            missing += len(result.frames[::IDENTITY_STEP]) - len(found)
        real = [crop_picture(picture, result.face.crop) for picture in pictures]
        for pair in zip(real[::IDENTITY_STEP], real[1::IDENTITY_STEP], strict=False):
            known = _embeddings(embedder, pair)
            if len(known) == 2:
                neighbours.append(identity_similarities(known[0], known[1:]))
    if not rendered or not neighbours:
        raise NotMeasuredError("clips with sound in which dlib's detector finds the face")
    cosines = torch.cat(rendered)
    return IdentityFigures(float(cosines.mean()), float(torch.cat(neighbours).mean()), cosines.numel(), missing)


def _embeddings(embedder: FaceEmbedder, pictures: Iterable[Tensor]) -> list[Tensor]:
    """Embeddings of the pictures in which a face is found."""
    return [found for found in map(embedder.embed, pictures) if found is not None]


def voiced(clips: Sequence[RealClip]) -> list[tuple[RealClip, Waveform]]:
    """The clips with sound, and it.

    Raises:
        NotMeasuredError: there is none.
    """
    found = [(clip, clip.waveform) for clip in clips if clip.waveform is not None]
    if not found:
        raise NotMeasuredError("clips with sound")
    return found


def as_json(results: dict[str, Figures | str]) -> dict[str, Any]:
    """Results as JSON holds them."""
    return {name: {"not_measured": r} if isinstance(r, str) else asdict(r) for name, r in results.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


MEASURES: dict[str, Callable[[Pack, Sequence[RealClip]], Figures]] = {
    "mouth": mouth_figures,
    "phonemes": phoneme_figures,
    "silence": silence_figures,
    "head": head_figures,
    "identity": identity_figures,
}
"""What can be measured, by name."""
