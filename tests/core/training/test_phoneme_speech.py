"""Speech with phoneme times: the times against the sound itself, the voices, the errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.training import phoneme_speech
from sadtalker_pack.sadtalker_core.training.phoneme_speech import (
    EVALUATION_VOICES,
    TRAINING_LANGUAGES,
    TRAINING_VARIANTS,
    phonemes_of,
    speak,
    variants,
    voices,
)

RATE = 1000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def library() -> None:
    try:
        voices()
    except SadTalkerError as error:
        pytest.skip(str(error))


def decibels(samples: torch.Tensor, start_s: float, end_s: float) -> float:
    part = samples[round(start_s * 16000) : max(round(start_s * 16000) + 1, round(end_s * 16000))]
    return float(10 * part.square().mean().clamp_min(1e-12).log10())


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("voice", ["en-us", "en-gb+m1", "de+m4", "es+Lee"])  # an echo, as f2 has, fills closures
def test_times_agree_with_the_sound(voice):
    speech = speak("tapa tafa kapa", voice)
    heard = speech.phonemes
    assert [p.symbol[0] for p in heard if p.symbol[0] in "ptkf"] == list("tptfkp")
    for phoneme, following in zip(heard, heard[1:], strict=False):
        assert phoneme.start_s < phoneme.end_s <= following.start_s
        if phoneme.symbol in ("p", "t", "k"):
            # The burst of a stop comes last: before it the mouth is shut and nothing is heard.
            shut_s = 0.4 * (phoneme.end_s - phoneme.start_s)
            closed = decibels(speech.samples, phoneme.start_s, phoneme.start_s + shut_s)
            vowel = decibels(speech.samples, following.start_s, following.end_s)
            assert closed < vowel - 25, phoneme
        if phoneme.symbol == "f":
            noise = decibels(speech.samples, phoneme.start_s, phoneme.end_s)
            vowel = decibels(speech.samples, following.start_s, following.end_s)
            assert vowel - 35 < noise < vowel - 8


@pytest.mark.usefixtures("library")
def test_each_language_has_its_own_voice():
    """The library goes on with the voice before when it doesn't know a name."""

    def read(voice: str) -> str:
        return "".join(phoneme.symbol for phoneme in speak("bonjour", voice).phonemes)

    assert "x" in read("es")
    assert read("fr-fr") == read("fr-fr+f2")
    assert read("fr-fr").endswith("ʒuʁ")
    assert "x" in read("es")
    assert read("en-gb") == read("en-gb+m1")
    assert not set("xʁ") & set(read("en-gb"))


@pytest.mark.usefixtures("library")
def test_another_process_hears_the_same():
    """A whisper is noise from end to end."""
    code = (
        "import sys\n"
        "from sadtalker_core.training.phoneme_speech import speak\n"
        "sys.stdout.buffer.write(speak('two', 'en-us+whisper').samples.numpy().tobytes())"
    )
    command = [sys.executable, "-c", code]
    once, again = (subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout for _ in range(2))
    assert len(once) > 16000
    assert once == again


@pytest.mark.usefixtures("library")
def test_words_of_another_language_are_no_sounds_of_their_own():
    assert "".join(phoneme.symbol for phoneme in speak("the", "fr-fr").phonemes) == "ðə"


@pytest.mark.usefixtures("library")
def test_faster_and_higher_when_asked():
    slow, fast = speak("one two three", "en-us", rate=100), speak("one two three", "en-us", rate=250)
    assert len(fast.samples) < 0.7 * len(slow.samples)
    assert fast.samples.dtype == torch.float32
    assert 0.05 < float(fast.samples.abs().max()) <= 1
    assert fast.phonemes[-1].end_s <= len(fast.samples) / 16000


@pytest.mark.usefixtures("library")
def test_voices_for_measuring_are_none_of_training():
    for voice in EVALUATION_VOICES:
        language, variant = voice.split("+")
        assert language in voices()
        assert variant in variants()
        assert language not in TRAINING_LANGUAGES
        assert variant not in TRAINING_VARIANTS
    assert set(TRAINING_LANGUAGES) <= set(voices())
    assert set(TRAINING_VARIANTS) <= set(variants())


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("text", "voice", "numbers", "message"),
    [
        ("hello", "xx-yy", {}, "no voice 'xx-yy'"),
        ("hello", "en-us+nobody", {}, "no voice 'en-us\\+nobody'"),
        ("hello", "en-us", {"rate": 20}, "rate must lie between 80 and 450, got 20"),
        (" ", "en-us", {}, "nothing to read"),
    ],
)
def test_errors_say_what_to_do(text, voice, numbers, message):
    with pytest.raises(SadTalkerError, match=message):
        speak(text, voice, **numbers)


def test_without_the_library(monkeypatch):
    def missing(*_):
        raise ImportError

    monkeypatch.setattr(phoneme_speech.importlib, "import_module", missing)
    monkeypatch.setattr(phoneme_speech, "_LIBRARIES", ("no-such-library",))
    with pytest.raises(SadTalkerError, match="pip install espeakng-loader"):
        phoneme_speech._load_library()


def test_a_stop_owns_the_silence_before_it():
    sound = np.ones(400, np.float32)
    sound[150:200] = 0  # closure of the stop
    sound[300:390] = 0  # a pause, of which the stop after it takes no more than LONGEST_CLOSURE_S
    events = [(0, "a"), (200, "p"), (220, "o"), (300, ""), (390, "b")]
    heard = [(p.symbol, p.start_s, p.end_s) for p in phonemes_of(sound, events, RATE)]
    assert heard == [("a", 0, 0.15), ("p", 0.15, 0.22), ("o", 0.22, 0.3), ("b", 0.31, 0.4)]


def test_other_sounds_begin_where_they_are_marked():
    sound = np.ones(300, np.float32)
    sound[100:150] = 0
    events = [(0, "a"), (150, "s"), (150, "t"), (200, "tʃ"), (260, "")]
    heard = [(p.symbol, p.start_s, p.end_s) for p in phonemes_of(sound, events, RATE)]
    assert heard == [("a", 0, 0.1), ("t", 0.1, 0.2), ("tʃ", 0.2, 0.26)]
