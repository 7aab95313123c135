"""Speech in the voices of six languages: the sounds and their times against the sound itself, and the errors."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.training.pico_speech import (
    ESPEAK_LANGUAGES,
    FREQUENT_WORDS,
    Reading,
    read_by_pico,
    speak_pico,
)
from sadtalker_pack.sadtalker_core.training.synthetic_speech import PICO_ENGLISH, frequent_words, pico_speeches

VOWELS = "aeiouɑæɛɔəʌʊɪyøœɐ"


def level(samples: torch.Tensor, start_s: float, end_s: float) -> float:
    return float(samples[max(0, round(start_s * 16000)) : round(end_s * 16000)].square().mean().sqrt())


def test_each_language_says_its_own_words_in_time():
    """The sounds come from another engine's reading of the same words: stops are quiet, vowels are loud."""
    pytest.importorskip("ttspico")
    words = {"de-DE": "Papa", "es-ES": "papa", "fr-FR": "papa", "it-IT": "papa"}
    readings = [
        Reading(f"{words.get(language, 'pepper')} {other}", language)
        for language in ESPEAK_LANGUAGES
        for other in ("tata", "kaka", "pipi", "popo", "taka", "pata")
    ]
    speeches = speak_pico(readings)
    for reading, spoken in zip(readings, speeches, strict=True):
        assert "".join(sound.symbol for sound in spoken.phonemes).count("p") >= 2, reading
        end = len(spoken.samples) / 16000
        assert all(a.start_s < b.start_s for a, b in zip(spoken.phonemes, spoken.phonemes[1:], strict=False))
        assert spoken.phonemes[0].start_s > -0.05
        assert spoken.phonemes[-1].end_s < end + 0.05
    quiet, loud = [], []
    for speech in speeches:
        for sound in speech.phonemes[1:-1]:
            heard = level(speech.samples, sound.start_s, sound.end_s)
            if sound.symbol in ("p", "t", "k"):
                quiet.append(heard)
            elif sound.symbol[0] in VOWELS:
                loud.append(heard)
    assert sorted(quiet)[len(quiet) // 2] < 0.25 * sorted(loud)[len(loud) // 2]


def test_the_same_reading_gives_the_same_sound_and_rate_shortens_it():
    pytest.importorskip("ttspico")
    first, second = (read_by_pico(Reading("one two", "en-GB")) for _ in range(2))
    assert torch.equal(first, second)
    assert 0.05 < float(first.abs().max()) < 0.9  # nothing is cut off
    assert len(read_by_pico(Reading("one two", "en-GB", 150))) < 0.8 * len(first)


def test_speeches_are_of_all_languages():
    pytest.importorskip("ttspico")
    made = pico_speeches(12, 0)
    assert all(speech.phonemes and len(speech.samples) > 16000 for speech in made)
    assert set(FREQUENT_WORDS) | set(PICO_ENGLISH) == set(ESPEAK_LANGUAGES)


@pytest.mark.parametrize("language", FREQUENT_WORDS)
def test_words_are_those_of_the_language(language):
    words = frequent_words(language, np.random.default_rng(0)).replace(",", "").split()
    assert set(words) <= set(FREQUENT_WORDS[language].split())
    assert len(words) >= 6


def test_errors_say_what_to_do(monkeypatch):
    with pytest.raises(SadTalkerError, match="no voice for 'nl-NL'. Expected one of: en-GB"):
        read_by_pico(Reading("hallo", "nl-NL"))
    monkeypatch.setitem(sys.modules, "ttspico", None)
    with pytest.raises(SadTalkerError, match="pip install ttspico"):
        read_by_pico(Reading("hello", "en-GB"))
