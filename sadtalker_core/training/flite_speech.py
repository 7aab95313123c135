"""Development only: speech whose phonemes have exact times, in the voices of people, from the Flite library.

Its voices are built from recordings of the CMU ARCTIC speakers, so they sound far more like a person than espeak-ng's
do. The library is free (BSD-like) and comes from the system (Debian: ``libflite1``); nothing of it is shipped.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from ..audio.waveform import mono_waveform
from ..errors import SadTalkerError
from .phoneme_speech import Phoneme, PhonemeSpeech

FLITE_VOICES = ("awb", "kal16", "rms", "slt")
"""A Scotsman, an American built of diphones, another man, a woman."""
STRETCH = (0.6, 1.6)
"""Factor for the durations of all sounds; 1 is the voice's own pace."""

IPA = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ", "b": "b", "ch": "tʃ",
    "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "əl", "em": "m", "en": "n", "er": "ɝ", "ey": "eɪ", "f": "f",
    "g": "ɡ", "hh": "h", "hv": "ɦ", "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n",
    "ng": "ŋ", "nx": "ɾ", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ",
    "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ",
}  # fmt: skip
"""The library's names of English sounds; what is missing here is a pause."""

_LIBRARY, _LANGUAGE, _LEXICON, _VOICE = "libflite", "libflite_usenglish", "libflite_cmulex", "libflite_cmu_us_{}"
_ENDINGS = (".so.1", ".so", ".dylib")


class _Voice(ctypes.Structure):
    """The beginning of ``cst_voice``."""

    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class _Wave(ctypes.Structure):
    """``cst_wave``."""

    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


@dataclass(frozen=True, slots=True)
class _Engine:
    """The library and the voices, each loaded once a process."""

    library: ctypes.CDLL
    voices: dict[str, int]
    """address of each ``cst_voice``"""

    def synthesise(
        self, text: str, voice: str, stretch: float
    ) -> tuple[NDArray[np.float32], int, list[tuple[str, float]]]:
        """Samples (S,) in [-1, 1], their rate, and each sound with the second at which it ends."""
        address = self.voices[voice]
        features = ctypes.cast(address, ctypes.POINTER(_Voice)).contents.features
        self.library.feat_set_float(features, b"duration_stretch", stretch)
        ctypes.CDLL(None).srand(0)  # the breath in the voices is noise of the C library
        utterance = self.library.flite_synth_text(text.encode("ascii", "replace"), address)
        wave = ctypes.cast(self.library.utt_wave(utterance), ctypes.POINTER(_Wave)).contents
        sound = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / np.float32(32768)
        segments: list[tuple[str, float]] = []
        item = self.library.relation_head(self.library.utt_relation(utterance, b"Segment"))
        while item:
            name = self.library.item_feat_string(item, b"name").decode()
            segments.append((name, self.library.item_feat_float(item, b"end")))
            item = self.library.item_next(item)
        rate = int(wave.sample_rate)
        self.library.delete_utterance(utterance)
        return sound, rate, segments


def speak_flite(text: str, voice: str, *, stretch: float = 1.0) -> PhonemeSpeech:
    """Read English ``text`` aloud. Not for several threads at once.

    The same call gives the same samples.

    Args:
        voice: one of ``FLITE_VOICES``.
        stretch: of all durations, 0.6 to 1.6.

    Raises:
        SadTalkerError: no Flite, no such voice, or a stretch out of its range.
    """
    if voice not in FLITE_VOICES:
        raise SadTalkerError(f"Flite has no voice '{voice}'. Expected one of: {', '.join(FLITE_VOICES)}.")
    if not STRETCH[0] <= stretch <= STRETCH[1]:
        raise SadTalkerError(f"The stretch must lie between {STRETCH[0]} and {STRETCH[1]}, got {stretch}.")
    sound, rate, segments = _engine().synthesise(text, voice, stretch)
    starts = [0.0, *(end for _, end in segments)]
    phonemes = tuple(
        Phoneme(IPA[name], start, end)
        for (name, end), start in zip(segments, starts, strict=False)
        if name in IPA and end > start
    )
    return PhonemeSpeech(mono_waveform(torch.from_numpy(sound)[None], rate).samples, phonemes)


@cache
def _engine() -> _Engine:
    library = _load(_LIBRARY)
    _load(_LANGUAGE)
    _load(_LEXICON)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("flite_synth_text", pointer, (text, pointer)),
        ("utt_wave", pointer, (pointer,)),
        ("utt_relation", pointer, (pointer, text)),
        ("relation_head", pointer, (pointer,)),
        ("item_next", pointer, (pointer,)),
        ("item_feat_string", text, (pointer, text)),
        ("item_feat_float", ctypes.c_float, (pointer, text)),
        ("feat_set_float", None, (pointer, text, ctypes.c_float)),
        ("delete_utterance", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.flite_init()
    return _Engine(library, {voice: _register(voice) for voice in FLITE_VOICES})


def _register(voice: str) -> int:
    register = getattr(_load(_VOICE.format(voice)), f"register_cmu_us_{voice}")
    register.restype, register.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    return register(None)


def _load(name: str) -> ctypes.CDLL:
    for ending in _ENDINGS:
        try:
            # The voices look up the library's symbols, so these must be visible to them.
            return ctypes.CDLL(name + ending, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
    raise SadTalkerError(
        f"Speech in people's voices needs the Flite library, of which {name} was not found. Install it for "
        "development, on Debian: apt-get install libflite1."
    )
