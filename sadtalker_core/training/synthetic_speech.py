"""Synthetic sound: words read by espeak-ng and Flite with the mouth that coarticulation gives them, and empty rooms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..audio.mel import log_mel
from ..face.morphable import MorphableModel
from ..flow import MODEL_FPS, SAMPLE_RATE, Waveform
from .coarticulation import Coarticulation, closure_reach, closure_weight
from .flite_speech import FLITE_VOICES, speak_flite
from .phoneme_speech import TRAINING_LANGUAGES, TRAINING_VARIANTS, Phoneme, PhonemeSpeech, speak
from .revoice import Revoicing, revoiced_copies
from .speech_frames import SILENCE, Utterance, frames_of

WORDS_A_MINUTE = (120, 240)
FLITE_STRETCH = (0.7, 1.15)
"""Factors for the durations of the sounds of Flite's voices, which read slowly."""
REVOICED_FLITE = Revoicing(pitch=(0.7, 1.6), envelope=(0.85, 1.2), duration=(0.85, 1.15))
"""Milder than for the recordings: four people to start from are more than one."""
ENGLISH_DIALECTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp")
"""Voices of espeak-ng for sentences that have to be English."""
ONSETS = (
    "b", "p", "m", "f", "v", "d", "t", "n", "s", "z", "l", "r", "g", "k", "h", "w", "j", "sh", "ch", "bl", "br", "pr",
    "pl", "fl", "fr", "tr", "dr", "st", "sp", "sm", "kr", "gl", "", "",
)  # fmt: skip
VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "au", "ei", "oi", "ou", "ee", "oo", "ie")
CODAS = ("", "", "", "", "n", "m", "s", "t", "l", "r", "k", "p", "b", "f", "nd", "st", "mp")
COMMON_WORDS = (
    "the be of and a to in he have it that for they with as not on she at by this we you do but from or which one "
    "would all will there say who make when can more if no man out other so what time up go about than into could "
    "state only new year some take come these know see use get like then first any work now may such give over "
    "think most even find day also after way many must look before great back through long where much should well "
    "people down own just because good each those feel seem how high too place little world very still nation hand "
    "old life tell write become here show house both between need mean call develop under last right move thing "
    "general school never same another begin while number part turn real leave might want point form off child few "
    "small since against ask late home interest large person end open public follow during present without again "
    "hold govern around possible head consider word program problem however lead system set order eye plan run keep "
    "face fact group play stand increase early course change help line move love voice father water mother music"
)
"""What most English sentences are made of, with a space between the words."""
COMMON_SHARE = 0.7
"""Fraction of the words that English voices read which are common; the others are made up."""
CLOSURE_WEIGHT = 4.0
"""How much more frames count in which the lips touch: that a closure is missed shows."""
SILENCE_WEIGHT = 6.0
"""How much more silence counts than a frame of speech: a mouth that stands open shows."""
QUIET_SECONDS = 2.0
NOISE_DECIBELS = (-75.0, -40.0)
"""Root mean square of a room's noise against full scale."""
NOISE_SLOPE = (0.0, 1.0)
"""Fall of the amplitude over frequency: 0 is white, 0.5 pink, 1 brown."""
PAUSE_SHARE = 0.12
"""Words that end in a comma."""


def made_up_words(random: np.random.Generator, count: int) -> str:
    """Words of one to three syllables, with a comma now and then."""
    words: list[str] = []
    for _ in range(count):
        syllables = random.integers(1, 4)
        word = "".join(random.choice(ONSETS) + random.choice(VOWELS) for _ in range(syllables)) + random.choice(CODAS)
        words.append(word + "," * int(random.random() < PAUSE_SHARE))
    return " ".join(words)


def synthetic_utterances(
    model: MorphableModel, coarticulation: Coarticulation, resting: Tensor, count: int, seed: int
) -> list[Utterance]:
    """``count`` utterances in random voices; ``resting`` (64,) is the speaker's expression with closed lips."""
    random = np.random.default_rng(seed)
    speeches = (within_silence(random_speech(random), random) for _ in range(count))
    return [
        _utterance("synthetic", model, coarticulation, resting, spoken.phonemes, log_mel(spoken.samples))
        for spoken in tqdm(speeches, desc="synthetic speech", unit="utterance", total=count)
    ]


def flite_utterances(
    model: MorphableModel,
    coarticulation: Coarticulation,
    resting: Tensor,
    count: int,
    seed: int,
    folder: Path,
    workers: int,
) -> list[Utterance]:
    """``count`` utterances in Flite's voices, each as it is and re-voiced; ``folder`` keeps the re-voiced copies."""
    random = np.random.default_rng(seed)
    speeches = [within_silence(random_flite_speech(random), random) for _ in range(count)]
    names = [f"flite_{seed}_{number:04d}" for number in range(count)]
    copies = revoiced_copies(
        [(name, Waveform(spoken.samples)) for name, spoken in zip(names, speeches, strict=True)],
        folder,
        REVOICED_FLITE,
        workers,
    )
    made: list[Utterance] = []
    for name, spoken in zip(names, speeches, strict=True):
        made.append(_utterance("flite", model, coarticulation, resting, spoken.phonemes, log_mel(spoken.samples)))
        for copy in copies[name]:
            phonemes = tuple(
                Phoneme(p.symbol, p.start_s * copy.duration, p.end_s * copy.duration) for p in spoken.phonemes
            )
            made.append(_utterance("flite", model, coarticulation, resting, phonemes, copy.mel.float()))
    return made


def _utterance(
    source: str,
    model: MorphableModel,
    coarticulation: Coarticulation,
    resting: Tensor,
    phonemes: Sequence[Phoneme],
    mel: Tensor,
) -> Utterance:
    """Speech given as mel (C, 80), for as many frames as it fills."""
    frames = frames_of(mel)
    expression = coarticulation.expression(model, phonemes, frames)
    weight = 1 + CLOSURE_WEIGHT * closure_weight(closure_reach(phonemes, frames))
    return Utterance(source, mel.half(), expression, torch.ones(frames, dtype=torch.bool), resting, weight)


def quiet_utterances(resting: Tensor, count: int, seed: int) -> list[Utterance]:
    """``count`` rooms in which nobody speaks, heard by faces with closed lips, ``resting`` (64,)."""
    random = np.random.default_rng(seed)
    frames = round(QUIET_SECONDS * MODEL_FPS)
    valid, weight = torch.ones(frames, dtype=torch.bool), torch.full((frames,), SILENCE_WEIGHT)
    return [
        Utterance(SILENCE, log_mel(room_noise(random)).half(), resting.expand(frames, -1), valid, resting, weight)
        for _ in range(count)
    ]


def room_noise(random: np.random.Generator) -> Tensor:
    """(S,) noise of a random colour and level, in half of the cases with the hum of the mains."""
    count = round(QUIET_SECONDS * SAMPLE_RATE)
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(random.standard_normal(count)) * np.maximum(hertz, 30) ** -random.uniform(*NOISE_SLOPE)
    # A room or a microphone favours some bands: a smooth curve over the octaves.
    octaves = np.log2(np.maximum(hertz, 30) / 30)
    spectrum *= 10 ** (np.interp(octaves, np.arange(10), random.normal(0, 6, 10)) / 20)
    samples = _of_level(np.fft.irfft(spectrum, count), random.uniform(*NOISE_DECIBELS))
    if random.random() < 0.5:
        turns = np.outer(np.arange(1, 6) * random.choice((50, 60)), np.arange(count) / SAMPLE_RATE)
        hum = random.uniform(0, 1, 5) @ np.sin(2 * np.pi * turns + random.uniform(0, 2 * np.pi, (5, 1)))
        samples += _of_level(hum, random.uniform(*NOISE_DECIBELS))
    return torch.from_numpy(samples.astype(np.float32))


def _of_level(samples: np.ndarray, decibels: float) -> np.ndarray:
    """Samples scaled to a root mean square against full scale."""
    return samples * 10 ** (decibels / 20) / np.sqrt(np.mean(samples**2))


def random_speech(random: np.random.Generator) -> PhonemeSpeech:
    """Made-up words of a random language, in a random voice of espeak-ng."""
    words = made_up_words(random, int(random.integers(5, 10)))
    return tell_by_espeak(words, random, TRAINING_LANGUAGES)


def random_flite_speech(random: np.random.Generator) -> PhonemeSpeech:
    """Common and made-up words, in a random voice of Flite."""
    common = COMMON_WORDS.split()
    words = [
        str(random.choice(common)) if random.random() < COMMON_SHARE else made_up_words(random, 1)
        for _ in range(int(random.integers(6, 13)))
    ]
    return tell_by_flite(" ".join(words), random)


def tell_by_espeak(
    words: str, random: np.random.Generator, languages: Sequence[str] = ENGLISH_DIALECTS
) -> PhonemeSpeech:
    """Words in a random voice of espeak-ng."""
    language = str(random.choice(languages))
    variant = str(random.choice((*TRAINING_VARIANTS, "")))
    return speak(
        words,
        language + ("+" + variant if variant else ""),
        rate=int(random.integers(*WORDS_A_MINUTE)),
        pitch=int(random.integers(10, 95)),
        melody=int(random.integers(20, 90)),
    )


def tell_by_flite(words: str, random: np.random.Generator) -> PhonemeSpeech:
    """Words in a random voice of Flite."""
    return speak_flite(words, str(random.choice(FLITE_VOICES)), stretch=random.uniform(*FLITE_STRETCH))


def within_silence(spoken: PhonemeSpeech, random: np.random.Generator) -> PhonemeSpeech:
    """The speech with up to 0.4 seconds of faint noise before and after it."""
    before, after = (random.uniform(0.05, 0.4, 2) * SAMPLE_RATE).astype(int)
    quiet = torch.from_numpy(random.normal(0, 1e-4, before + after).astype(np.float32))
    samples = torch.cat((quiet[:before], spoken.samples, quiet[before:]))
    later = before / SAMPLE_RATE
    return PhonemeSpeech(samples, tuple(Phoneme(p.symbol, p.start_s + later, p.end_s + later) for p in spoken.phonemes))
