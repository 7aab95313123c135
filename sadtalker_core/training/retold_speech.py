"""The sentences of recordings in the mouths of synthetic voices, which move as the recorded face did.

Whoever says the words again says them otherwise in what a vocoder leaves alone: accent, rhythm, and how one sound runs
into the next. The face is a tracked one, so nothing of how phonemes look is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..audio.mel import log_mel
from ..flow import Waveform
from .phoneme_speech import Phoneme, PhonemeSpeech
from .revoice import Copy, revoiced_copies
from .speech_alignment import align, realign
from .speech_frames import Utterance, face_at, frame_seconds, frames_of
from .synthetic_speech import REVOICED_FLITE, tell_by_espeak, tell_by_flite, within_silence

EDGE_S = 1.0
"""Before the first sound and after the last one time runs as in the recording."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recording and its words."""

    name: str
    words: str
    recorded: Utterance


@dataclass(frozen=True, slots=True)
class Teller:
    """An engine that reads a sentence aloud, each time in one of several voices."""

    tell: Callable[[str, np.random.Generator], PhonemeSpeech]
    retellings: int
    """how often each sentence is told"""
    revoiced: bool
    """whether there are re-voiced copies too: worth it for voices made from recordings of people"""


TELLERS = {
    "espeak": Teller(tell_by_espeak, 4, False),
    "flite": Teller(tell_by_flite, 2, True),
}


def retold_utterances(sentences: Sequence[Sentence], seed: int, folder: Path, workers: int) -> list[Utterance]:
    """Each sentence told by each of ``TELLERS``; ``folder`` keeps the re-voiced copies."""
    random = np.random.default_rng(seed)
    made: list[Utterance] = []
    for name, teller in TELLERS.items():
        tasks = [*sentences] * teller.retellings
        told = [
            within_silence(teller.tell(sentence.words, random), random)
            for sentence in tqdm(tasks, desc=f"retold by {name}", unit="sentence")
        ]
        copies = [[Copy(log_mel(speech.samples).half(), 1.0)] for speech in told]
        if teller.revoiced:
            names = [f"{seed}_{number:05d}_{sentence.name}" for number, sentence in enumerate(tasks)]
            voices = [(n, Waveform(speech.samples)) for n, speech in zip(names, told, strict=True)]
            revoiced = revoiced_copies(voices, folder / name, REVOICED_FLITE, workers)
            copies = [[own, *revoiced[n]] for [own], n in zip(copies, names, strict=True)]
        moments = _moments_in_recordings(tasks, told)
        for sentence, speech, times, versions in zip(tasks, told, moments, copies, strict=True):
            for copy in versions:
                seconds = frame_seconds(frames_of(copy.mel)) / copy.duration
                seconds = moments_of_sounds(seconds, speech.phonemes, times)
                made.append(face_at("retold", copy.mel, sentence.recorded, seconds))
    return made


def moments_of_sounds(seconds: Tensor, sounds: Sequence[Phoneme], others: Sequence[Phoneme]) -> Tensor:
    """Carry moments (T,) of one speech over to another of the same sounds, evenly between the beginnings of sounds."""
    here = [s.start_s for s in sounds] + [sounds[-1].end_s]
    there = [s.start_s for s in others] + [others[-1].end_s]
    here, there = ([t[0] - EDGE_S, *t, t[-1] + EDGE_S] for t in (here, there))
    return torch.from_numpy(np.interp(seconds.numpy(), here, there))


def _moments_in_recordings(sentences: Sequence[Sentence], told: Sequence[PhonemeSpeech]) -> list[list[Phoneme]]:
    """The sounds of synthetic speech at the times at which the recordings have them."""
    mels = [sentence.recorded.mel.float() for sentence in sentences]
    found = [
        (align(speech.phonemes, log_mel(speech.samples), mel), mel)
        for speech, mel in tqdm(zip(told, mels, strict=True), desc="align", unit="sentence", total=len(mels))
    ]
    return realign(found)
