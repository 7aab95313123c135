"""Development only: speech whose phonemes have exact times, from the espeak-ng library.

The library and its voices come from PyPI's ``espeakng-loader`` or from the system (Debian: ``libespeak-ng1`` and
``espeak-ng-data``). They are GPL, so nothing of them is shipped; their sound only teaches and measures.
"""

from __future__ import annotations

import ctypes
import importlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..audio.waveform import mono_waveform
from ..errors import SadTalkerError

TRAINING_LANGUAGES = (
    "en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "de", "fr-fr", "es", "it", "pt-br", "nl", "sv", "da", "pl", "cs",
    "ro", "hu", "fi", "tr", "id", "sw", "ca", "hr", "sk", "et", "lv", "vi",
)  # fmt: skip
"""Languages that training may use, all written in Latin letters."""
TRAINING_VARIANTS = (
    "m1", "m2", "m3", "m5", "m6", "m8", "f1", "f3", "f4", "f5", "klatt", "klatt2", "klatt4", "croak", "Alex", "Andy",
    "Annie", "Diogo", "Gene", "Hugo", "Jacky", "Marco", "Michael", "Mike", "adam", "anika", "antonio", "aunty",
    "belinda", "caleb", "ed", "edward", "grandma", "john", "linda", "max", "michel", "norbert", "pablo", "quincy",
    "rob", "shelby", "steph", "travis", "victor", "zac",
)  # fmt: skip
"""Timbres that training may use, besides a language's own."""
EVALUATION_VOICES = (
    "en-us-nyc+m4", "en-gb-x-gbclan+f2", "en-gb-x-gbcwmd+klatt3", "en-029+Alicia", "en-us-nyc+Lee",
    "en-gb-x-gbclan+Mario", "en-gb-x-gbcwmd+Andrea", "en-029+paul", "nb+m7", "pt+Storm", "sl+boris", "es-419+david",
    "af+grandpa", "lt+Nguyen", "sq+marcelo", "eo+Henrique",
)  # fmt: skip
"""Voices for measuring only: training uses neither their languages (and dialects) nor their timbres."""

WORDS_A_MINUTE = (80, 450)
LONGEST_CLOSURE_S = 0.08
"""Seconds of the silence before a stop that count as the time in which the mouth is shut for it."""
STOPS = "pbtdʈɖcɟkɡgqɢʔ"
"""Letters with which stops and affricates begin."""
STRESS_MARKS = "ˈˌ"

_SYNCHRONOUS, _PHONEME_EVENTS, _IPA, _DONT_EXIT = 2, 1, 2, 0x8000
_UTF8 = 1
_RATE, _PITCH, _MELODY = 1, 3, 4
_END_OF_EVENTS, _PHONEME = 0, 7
_LIBRARIES = ("libespeak-ng.so.1", "libespeak-ng.so", "libespeak-ng.dylib", "libespeak-ng.1.dylib", "espeak-ng.dll")
_QUIET = 0.003
"""Share of the loudest sample below which the library's sound is a pause."""


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One sound of an utterance."""

    symbol: str
    """IPA letters and length marks, without stress; diphthongs and such have several letters"""
    start_s: float
    """when the mouth begins to shape it: a stop starts with its closure, not with its burst"""
    end_s: float


@dataclass(frozen=True, slots=True)
class PhonemeSpeech:
    """Synthetic speech and when each of its sounds is made."""

    samples: Tensor
    """(S,) float32, 16 kHz, in [-1, 1]"""
    phonemes: tuple[Phoneme, ...]
    """in order, without overlap; where there is none, there is a pause"""


def speak(text: str, voice: str, *, rate: int = 165, pitch: int = 50, melody: int = 50) -> PhonemeSpeech:
    """Read ``text`` aloud.

    The library's voices tremble at random from one call to the next; a process that makes the same calls in the same
    order as another hears the same, with version 1.52 of the library or later. Not for several threads at once.

    Args:
        voice: a language of ``voices()``, or language+variant with one of ``variants()``: "en-us+f2".
        rate: words a minute, 80 to 450.
        pitch: 0 to 100, 50 is the voice's own.
        melody: how far the pitch swings, 0 to 100.

    Raises:
        SadTalkerError: no espeak-ng, no such voice, a number out of its range, or nothing to read in the text.
    """
    _check("rate", rate, *WORDS_A_MINUTE)
    _check("pitch", pitch, 0, 100)
    _check("melody", melody, 0, 100)
    language, _, variant = voice.partition("+")
    if language not in voices() or (variant and variant not in variants()):
        raise SadTalkerError(
            f"espeak-ng has no voice '{voice}'. Expected a language such as 'en-us', or language+variant such as "
            "'en-us+f2'; voices() and variants() list them."
        )
    engine = _engine()
    sound, events = engine.synthesise(text, voice, {_RATE: rate, _PITCH: pitch, _MELODY: melody})
    if not any(symbol for _, symbol in events):
        raise SadTalkerError(f"The voice '{voice}' finds nothing to read in the text '{text[:40]}'.")
    samples = mono_waveform(torch.from_numpy(sound)[None], engine.sample_rate).samples
    return PhonemeSpeech(samples, tuple(phonemes_of(sound, events, engine.sample_rate)))


def voices() -> tuple[str, ...]:
    """Languages that espeak-ng reads, in alphabetical order, by the name that ``speak`` takes."""
    return tuple(sorted(_engine().voice_files))


def variants() -> tuple[str, ...]:
    """Timbres in which it reads each of them."""
    return _engine().variants


def phonemes_of(sound: NDArray[np.float32], events: Sequence[tuple[int, str]], sample_rate: int) -> list[Phoneme]:
    """Phonemes from the moments (sample, symbol) at which the library begins them; an empty symbol begins a pause.

    It marks a stop at its burst or voicing. The silence before that is the stop's closure, and is given to it.
    """
    loud = np.abs(sound) > _QUIET * max(1e-6, float(np.abs(sound).max()))
    phonemes: list[Phoneme] = []
    earliest = 0
    for number, (moment, symbol) in enumerate(events):
        following = events[number + 1][0] if number + 1 < len(events) else len(sound)
        if not symbol or following <= moment:
            continue
        start = moment
        if symbol[0] in STOPS:
            floor = max(earliest, moment - round(LONGEST_CLOSURE_S * sample_rate))
            before = np.flatnonzero(loud[floor:moment])
            start = floor + (int(before[-1]) + 1 if before.size else 0)
            if phonemes and phonemes[-1].end_s * sample_rate > start:
                phonemes[-1] = Phoneme(phonemes[-1].symbol, phonemes[-1].start_s, start / sample_rate)
        phonemes.append(Phoneme(symbol, start / sample_rate, following / sample_rate))
        earliest = moment + 1
    return phonemes


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of the library's interface; the last field is the union's widest member."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("symbol", ctypes.c_ubyte * 8),
    ]


class _Voice(ctypes.Structure):
    """``espeak_VOICE``; ``languages`` points at a priority byte followed by a name."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Engine:
    """The library, started once a process: it does not survive a second start."""

    def __init__(self) -> None:
        self._library, data = _load_library()
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._parts: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, str]] = []
        options = _PHONEME_EVENTS | _IPA | _DONT_EXIT
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, options)
        if self.sample_rate <= 0:
            raise SadTalkerError("espeak-ng is installed without its voices. Install the package espeak-ng-data too.")
        # Left to itself the library starts from another state in each process.
        if hasattr(self._library, "espeak_ng_SetRandSeed"):  # since version 1.52
            self._library.espeak_ng_SetRandSeed(ctypes.c_long(0))
        self._callback = _Callback(self._collect)  # the library keeps a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        # A language's first name isn't always one that the library finds it by: French is "fr-fr", but found as "fr".
        # Of two voices for one language the first listed is kept.
        self.voice_files = dict(reversed(self._listed(None)))
        self.variants = tuple(
            identifier.split("/", 1)[1] for _, identifier in self._listed(_Voice(languages=_pointer(b"variant")))
        )

    def synthesise(
        self, text: str, voice: str, parameters: dict[int, int]
    ) -> tuple[NDArray[np.float32], list[tuple[int, str]]]:
        """Samples (S,) in [-1, 1] at ``sample_rate``, and where each phoneme or pause begins."""
        self._parts, self._events = [], []
        language, separator, variant = voice.partition("+")
        if self._library.espeak_SetVoiceByName((self.voice_files[language] + separator + variant).encode()):
            raise SadTalkerError(f"espeak-ng cannot load its voice '{voice}'. Install its data (espeak-ng-data) again.")
        for parameter, value in parameters.items():
            self._library.espeak_SetParameter(parameter, int(value), 0)
        encoded = text.encode()
        self._library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 1, 0, _UTF8, None, None)
        sound = np.concatenate([np.zeros(0, np.int16), *self._parts]) / np.float32(32768)
        return sound.astype(np.float32), self._events

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while events[number].type != _END_OF_EVENTS:
            if events[number].type == _PHONEME:
                letters = bytes(events[number].symbol).split(b"\0")[0].decode(errors="ignore")
                symbol = unicodedata.normalize("NFC", letters).strip(STRESS_MARKS)
                if not symbol.startswith("("):  # "(en)": from here on it is read as a word of another language
                    self._events.append((events[number].sample, symbol))
            number += 1
        return 0

    def _listed(self, wanted: _Voice | None) -> list[tuple[str, str]]:
        """(language, identifier) of the voices that fit."""
        listed = self._library.espeak_ListVoices(None if wanted is None else ctypes.byref(wanted))
        found: list[tuple[str, str]] = []
        while listed[len(found)]:
            voice = listed[len(found)].contents
            found.append((ctypes.string_at(voice.languages + 1).decode(), voice.identifier.decode()))
        return found


@cache
def _engine() -> _Engine:
    return _Engine()


def _load_library() -> tuple[ctypes.CDLL, bytes | None]:
    """The library and the folder of its voices (None: where the system keeps them)."""
    try:
        loader = importlib.import_module("espeakng_loader")
        return ctypes.CDLL(loader.get_library_path()), loader.get_data_path().encode()
    except ImportError:
        pass
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name), None
        except OSError:
            continue
    raise SadTalkerError(
        "Synthetic speech needs the espeak-ng library, which was not found. Install it for development: "
        "pip install espeakng-loader (or on Debian: apt-get install libespeak-ng1 espeak-ng-data)."
    )


def _pointer(text: bytes) -> int | None:
    # The library keeps no copy, so the buffer must outlive the call: constants of this module do.
    return ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SadTalkerError(f"The {name} must lie between {least} and {most}, got {value}.")
