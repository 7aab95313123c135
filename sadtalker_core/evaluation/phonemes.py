"""Do the lips show the sounds? Synthetic speech says when each phoneme is made; the mouth is looked at then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..flow import MODEL_FPS
from ..metrics.mouth import MouthTrack, opening_in_range
from ..training.phoneme_speech import Phoneme

OPEN_VOWELS = ("ɑ", "æ", "a")
CLOSE_VOWELS = ("i", "u")
ROUNDED = ("u", "o", "w")
SPREAD = ("i", "e")
LABIODENTALS = ("f", "v")
FREE_LIPS = (*OPEN_VOWELS, "i", "e", "ɛ", "ɪ", "ɐ", "ə", "t", "d", "n", "s", "z", "k", "ɡ", "l")
"""Sounds that leave the lower lip to the jaw. In clips of a person it hangs lower in each of them than at f and v."""
BILABIALS = ("p", "b", "m")
CLOSED_SHARE = 0.15
"""Fraction of the speaking range below which lips count as closed."""
CLOSURE_FRAMES = 2
"""Frames before and after the middle of a bilabial within which the lips must meet."""

ENGLISH_SENTENCES = (
    "My father put the big map of the farm in the back of the car.",
    "Pam was happy to feed five brown puppies a bowl of soup.",
    "We saw a blue moon above the harbour, and nobody moved.",
    "Bob keeps a cup of black coffee by the window every morning.",
    "She sat on the beach and read a very funny book about bees.",
    "Do you believe the cat is hiding behind that heap of shoes?",
)
OTHER_SENTENCES = (
    "Papa fuma, biba mofo vivu pami tena.",
    "Tabu mife pova suba, kapi fefo lumi sada.",
    "Vapo nimu befa kitu, moba sefi pula vane.",
)
"""Words of no language, which each language's rules read in its own way."""


@dataclass(frozen=True, slots=True)
class SpokenMouth:
    """One voice: what it says, and the mouth that was made for it."""

    voice: str
    utterances: Sequence[tuple[Sequence[Phoneme], MouthTrack]]
    """phonemes and mouth of each utterance, 25 frames a second"""
    closed: float
    """opening of the portrait's closed lips"""


@dataclass(frozen=True, slots=True)
class PhonemeFigures:
    """Shares from 0 to 1, and of how many cases."""

    open_over_close: float
    open_over_close_pairs: int
    rounded_under_spread: float
    rounded_under_spread_pairs: int
    lower_lip_raised: float
    lower_lip_raised_pairs: int
    lips_closed: float
    lips_closed_cases: int


def sentences_for(voice: str) -> tuple[str, ...]:
    """What a voice reads: English ones English."""
    return ENGLISH_SENTENCES if voice.startswith("en") else OTHER_SENTENCES


def measure_phonemes(voices: Sequence[SpokenMouth]) -> PhonemeFigures:
    """Pairs are all pairs of two sounds of one voice, over its utterances; figures are means over all pairs."""
    open_pairs = _pairs(voices, lambda mouth: mouth.opening, OPEN_VOWELS, CLOSE_VOWELS)
    width_pairs = _pairs(voices, lambda mouth: mouth.width, SPREAD, ROUNDED)
    lip_pairs = _pairs(voices, lambda mouth: mouth.lower_lip, LABIODENTALS, FREE_LIPS)
    closures = torch.cat([torch.zeros(0), *(bilabial_closures(voice) for voice in voices)])
    return PhonemeFigures(
        *_share(open_pairs), *_share(width_pairs), *_share(lip_pairs), *_share((closures < CLOSED_SHARE).float())
    )


def ordered_pairs(larger: Tensor, smaller: Tensor) -> Tensor:
    """(A * B,) 1 where a value of ``larger`` (A,) exceeds one of ``smaller`` (B,), for all pairs."""
    return (larger[:, None] > smaller[None]).float().flatten()


def value_at(curve: Tensor, phoneme: Phoneme, fps: float = MODEL_FPS) -> float:
    """Mean of a curve (T,), one value a frame at its middle, over the middle half of a phoneme."""
    quarter = (phoneme.end_s - phoneme.start_s) / 4
    times = torch.linspace(phoneme.start_s + quarter, phoneme.end_s - quarter, 9)
    position = (times * fps - 0.5).clamp(0, curve.shape[0] - 1)
    before = position.long().clamp(max=max(0, curve.shape[0] - 2))
    after = (before + 1).clamp(max=curve.shape[0] - 1)
    return float(torch.lerp(curve[before], curve[after], position - before).mean())


def closest_at(curve: Tensor, phoneme: Phoneme, radius: int = CLOSURE_FRAMES, fps: float = MODEL_FPS) -> float:
    """Least value of a curve (T,) within ``radius`` frames of the frame that shows the middle of a phoneme."""
    frame = min(int((phoneme.start_s + phoneme.end_s) / 2 * fps), curve.shape[0] - 1)
    return float(curve[max(0, frame - radius) : frame + radius + 1].min())


def bilabial_closures(voice: SpokenMouth) -> Tensor:
    """(N,) least opening at each p, b and m of a voice, as a fraction of its speaking range."""
    speaking = torch.cat([mouth.opening for _, mouth in voice.utterances])
    least = [
        closest_at(mouth.opening, phoneme)
        for phonemes, mouth in voice.utterances
        for phoneme in phonemes
        if _plain(phoneme) in BILABIALS
    ]
    return opening_in_range(torch.tensor(least), voice.closed, speaking)


def _pairs(
    voices: Sequence[SpokenMouth],
    measure: Callable[[MouthTrack], Tensor],
    larger: Sequence[str],
    smaller: Sequence[str],
) -> Tensor:
    """(P,) 1 where a sound of ``larger`` exceeds one of ``smaller``, for all pairs of two sounds of one voice."""
    pairs = [ordered_pairs(_values(v, measure, larger), _values(v, measure, smaller)) for v in voices]
    return torch.cat([torch.zeros(0), *pairs])


def _values(voice: SpokenMouth, measure: Callable[[MouthTrack], Tensor], wanted: Sequence[str]) -> Tensor:
    spoken = [(p, mouth) for phonemes, mouth in voice.utterances for p in phonemes if _plain(p) in wanted]
    return torch.tensor([value_at(measure(mouth), phoneme) for phoneme, mouth in spoken])


def _plain(phoneme: Phoneme) -> str:
    return phoneme.symbol.rstrip("ː")


def _share(flags: Tensor) -> tuple[float, int]:
    return (float(flags.mean()) if flags.numel() else float("nan")), flags.numel()
