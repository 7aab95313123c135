"""Development only: speech in six voices made from recordings of people, one a language, from SVOX Pico.

Its English women are two voices more that say what a recorded face said; the other four speak their own languages.
The engine tells no phoneme times: espeak-ng reads the same words, and its times are carried over. Engine and voices are
free (Apache-2.0, PyPI ``ttspico``); nothing of them is shipped.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..audio.mel import log_mel
from ..errors import SadTalkerError
from ..flow import SAMPLE_RATE
from .phoneme_speech import Phoneme, PhonemeSpeech, speak
from .speech_alignment import align, realign

ESPEAK_LANGUAGES = {
    "en-GB": "en-gb", "en-US": "en-us", "de-DE": "de", "es-ES": "es", "fr-FR": "fr-fr", "it-IT": "it",
}  # fmt: skip
"""Pico's languages, and what espeak-ng calls them."""
PICO_RATES = (85, 150)
"""Of the voice's own pace, in hundredths."""
VOLUME = 40
"""Of 100, at which loud sounds would be cut off."""
SURROUNDING_S = 0.1
"""Of silence around what is aligned."""

FREQUENT_WORDS = {
    "de-DE": (
        "der die das und ich nicht ein zu haben wir was für von mit auf den sie aber so wenn nur hier kommen gut immer "
        "machen heute Morgen Abend Mutter Vater Freund Wasser Feuer Musik Stimme sprechen bitte danke vielleicht "
        "früh spät schön groß klein alt neu warm kalt Haus Baum Weg Fenster offen über unter böse Blume Apfel Brot "
        "Milch fünf sieben acht zwölf viel wenig oben weiß blau braun gehen sehen hören wohnen bleiben"
    ),
    "es-ES": (
        "el la de que y en un ser por con no una para como pero su más hacer poder todo este ahora siempre bueno "
        "mañana tarde noche madre padre amigo agua fuego música voz hablar favor gracias quizás temprano bonito grande "
        "pequeño viejo nuevo caliente frío casa árbol camino ventana abierto flor manzana pan leche cinco siete "
        "ocho mucho poco arriba blanco verde azul vivir mirar escuchar beber pueblo primavera hombre mujer obra"
    ),
    "fr-FR": (
        "le la les un une et je ne pas nous vous pour avec dans sur mais plus faire pouvoir tout cette maintenant "
        "toujours bon matin soir mère père ami eau feu musique voix parler merci peut-être beau grand petit vieux "
        "nouveau chaud froid maison arbre chemin fenêtre ouvert fleur pomme pain lait cinq sept huit beaucoup peu "
        "blanc vert bleu vivre regarder écouter boire monde bonjour femme homme œuvre bouche lumière rouge"
    ),
    "it-IT": (
        "il la di che e un essere per con non una come ma suo più fare potere tutto questo adesso sempre buono mattina "
        "sera notte madre padre amico acqua fuoco musica voce parlare favore grazie forse presto bello grande piccolo "
        "vecchio nuovo caldo freddo casa albero strada finestra aperto fiore mela pane latte cinque sette otto molto "
        "poco sopra bianco verde azzurro vivere guardare ascoltare bere popolo primavera uomo donna opera"
    ),
}  # fmt: skip
"""Common words with a space between them, which both engines read alike, as they would not read made-up ones."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What Pico is to read, and how."""

    words: str
    language: str
    """one of ``ESPEAK_LANGUAGES``"""
    rate: int = 100
    """of the voice's own pace, in hundredths"""


def read_by_pico(reading: Reading) -> Tensor:
    """Samples (S,) float32 at 16 kHz, in [-1, 1]; the same reading gives the same samples.

    Raises:
        SadTalkerError: Pico is not installed, or has no such voice.
    """
    if reading.language not in ESPEAK_LANGUAGES:
        raise SadTalkerError(
            f"Pico has no voice for '{reading.language}'. Expected one of: {', '.join(ESPEAK_LANGUAGES)}."
        )
    try:
        pico = importlib.import_module("ttspico")
    except ImportError as error:
        raise SadTalkerError(
            "Training ExpNet needs the voices of SVOX Pico. Install them: pip install ttspico"
        ) from error
    engine = pico.TtsEngine(reading.language)  # a new one each time, for it goes on with its random numbers
    engine.rate, engine.volume = reading.rate, VOLUME
    samples = np.frombuffer(engine.speak(reading.words), np.int16) / np.float32(32768)
    return torch.from_numpy(samples)


def speak_pico(readings: Sequence[Reading]) -> list[PhonemeSpeech]:
    """Read aloud, with the times of the sounds; the more a voice reads, the better they are (see ``realign``)."""
    made: dict[int, PhonemeSpeech] = {}
    for language, name in ESPEAK_LANGUAGES.items():
        numbers = [number for number, reading in enumerate(readings) if reading.language == language]
        heard, found = [], []
        for number in tqdm(numbers, desc=f"read by Pico, {language}", unit="sentence", disable=not numbers):
            heard.append(read_by_pico(readings[number]))
            spoken, mel = speak(readings[number].words, name), _mel_amid_silence(heard[-1])
            found.append((align(_later(spoken.phonemes), _mel_amid_silence(spoken.samples), mel), mel))
        for number, samples, sounds in zip(numbers, heard, realign(found) if found else (), strict=True):
            made[number] = PhonemeSpeech(samples, _later(sounds, -SURROUNDING_S))
    return [made[number] for number in range(len(readings))]


def _mel_amid_silence(samples: Tensor) -> Tensor:
    quiet = torch.zeros(round(SURROUNDING_S * SAMPLE_RATE))
    return log_mel(torch.cat((quiet, samples, quiet)))


def _later(sounds: Sequence[Phoneme], seconds: float = SURROUNDING_S) -> tuple[Phoneme, ...]:
    return tuple(Phoneme(sound.symbol, sound.start_s + seconds, sound.end_s + seconds) for sound in sounds)
