"""When each phoneme of known words is heard in a recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from torch import Tensor

from ..audio.mel import COLUMNS_PER_SECOND
from .phoneme_speech import Phoneme

STATES = 3
"""Parts of a phoneme that have a timbre of their own."""
STEP_COST = 0.15
"""Cost of a step along a warping path that goes forward in one sound only; keeps durations natural."""
EDGE = 20
"""Columns of silence before and after the words of a chain."""
_LEVEL = 16
"""Column of the level in a timbre."""
_CEPSTRA = 16
Timbre = NDArray[np.float64]

_COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
_COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
_PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
_DIGITS = {
    "z": "zero", "1": "one", "2": "two", "3": "three", "4": "four",
    "5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine",
}  # fmt: skip
_ADVERBS = {"a": "again", "n": "now", "p": "please", "s": "soon"}


def grid_sentence(name: str) -> str:
    """The words of a GRID clip from its file name: ``bbaf2n`` is "bin blue at F two now".

    Raises:
        KeyError: the name is none of GRID's.
    """
    command, colour, preposition, letter, digit, adverb = name[:6]
    # A single "a" would be read as the article, a "z" in America's way.
    spelled = {"a": "eigh", "z": "zed"}.get(letter, letter.upper())
    words = (_COMMANDS[command], _COLOURS[colour], _PREPOSITIONS[preposition], spelled)
    return " ".join((*words, _DIGITS[digit], _ADVERBS[adverb]))


def align(sounds: Sequence[Phoneme], spoken: Tensor, recorded: Tensor) -> list[Phoneme]:
    """Carry the sounds of synthetic speech over to a recording of the same words by dynamic time warping.

    Args:
        spoken: (C, 80) log-mel of the synthetic speech that ``sounds`` belongs to.
        recorded: (D, 80) log-mel of the recording.
    """
    path = warping_path(_timbre(spoken), _timbre(recorded))
    columns, first, counts = np.unique(path[:, 0], return_index=True, return_counts=True)
    matched = np.add.reduceat(path[:, 1], first) / counts

    def carried(seconds: float) -> float:
        return float(np.interp(seconds * COLUMNS_PER_SECOND, columns, matched)) / COLUMNS_PER_SECOND

    return [Phoneme(sound.symbol, carried(sound.start_s), carried(sound.end_s)) for sound in sounds]


def realign(clips: Sequence[tuple[Sequence[Phoneme], Tensor]]) -> list[list[Phoneme]]:
    """Sharpen alignments of one speaker's clips, (sounds, log-mel (C, 80)) each, with the speaker's own sounds.

    Each phoneme becomes a chain of states with the mean timbre of all its occurrences; each clip is matched again to
    the chain of its words.
    """
    timbres = [_timbre(mel) for _, mel in clips]
    models, quiet = _phoneme_models([sounds for sounds, _ in clips], timbres)
    return [_match(sounds, timbre, models, quiet) for (sounds, _), timbre in zip(clips, timbres, strict=True)]


def warping_path(a: Timbre, b: Timbre) -> NDArray[np.int64]:
    """Cheapest monotonous path (P, 2) that matches the rows of (N, K) to those of (M, K)."""
    cost = np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0))
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for diagonal in range(2, len(a) + len(b) + 1):
        i = np.arange(max(1, diagonal - len(b)), min(len(a), diagonal - 1) + 1)
        j = diagonal - i
        aside = np.minimum(total[i - 1, j], total[i, j - 1]) + STEP_COST
        total[i, j] = cost[i - 1, j - 1] + np.minimum(aside, total[i - 1, j - 1])
    path = [(len(a), len(b))]
    while path[-1] != (1, 1):
        i, j = path[-1]
        choices = ((i - 1, j - 1, 0.0), (i - 1, j, STEP_COST), (i, j - 1, STEP_COST))
        path.append(min(choices, key=lambda choice: total[choice[0], choice[1]] + choice[2])[:2])
    return np.array(path[::-1]) - 1


def _phoneme_models(spoken: list[Sequence[Phoneme]], timbres: list[Timbre]) -> tuple[dict[str, Timbre], Timbre]:
    """The chain of states of each phoneme, (columns, K), as long as it typically lasts; and the timbre of silence."""
    occurrences: dict[str, list[list[Timbre]]] = {}
    lengths: dict[str, list[float]] = {}
    for sounds, timbre in zip(spoken, timbres, strict=True):
        for sound in sounds:
            lengths.setdefault(sound.symbol, []).append(sound.end_s - sound.start_s)
            parts = occurrences.setdefault(sound.symbol, [[] for _ in range(STATES)])
            edges = np.linspace(sound.start_s, sound.end_s, STATES + 1) * COLUMNS_PER_SECOND
            for part, begin, end in zip(parts, edges[:-1], edges[1:], strict=True):
                part.append(timbre[round(begin) : max(round(begin) + 1, round(end))])
    models: dict[str, Timbre] = {}
    for symbol, parts in occurrences.items():
        repeats = max(1, round(float(np.median(lengths[symbol])) * COLUMNS_PER_SECOND / STATES))
        models[symbol] = np.stack([np.concatenate(part).mean(0) for part in parts]).repeat(repeats, 0)
    everything = np.concatenate(timbres)
    quiet = everything[everything[:, _LEVEL] <= np.quantile(everything[:, _LEVEL], 0.1)].mean(0)
    return models, quiet


def _match(sounds: Sequence[Phoneme], timbre: Timbre, models: dict[str, Timbre], quiet: Timbre) -> list[Phoneme]:
    edge = np.tile(quiet, (EDGE, 1))
    chain = np.concatenate((edge, *(models[sound.symbol] for sound in sounds), edge))
    owner = np.repeat(np.arange(-1, len(sounds) + 1), [EDGE, *(len(models[s.symbol]) for s in sounds), EDGE])
    path = warping_path(chain, timbre)
    matched: list[Phoneme] = []
    for number, sound in enumerate(sounds):
        columns = path[owner[path[:, 0]] == number, 1]
        start, end = (columns.min() - 0.5) / COLUMNS_PER_SECOND, (columns.max() + 0.5) / COLUMNS_PER_SECOND
        matched.append(Phoneme(sound.symbol, float(start), float(end)))
    return matched


def _timbre(mel: Tensor) -> Timbre:
    """Cepstra, level and the cepstra's slopes of a log-mel (C, 80), comparable between voices."""
    decibels = mel.double().numpy() * 12.5
    level = 10 * np.log10((10 ** (decibels / 10)).sum(1))
    peak = np.quantile(level, 0.95)
    decibels = np.maximum(decibels, peak - 50)
    mean = decibels[level > peak - 28].mean(0)
    cepstra = np.asarray(dct((decibels - mean) / 12, norm="ortho", axis=1))[:, :_CEPSTRA] / 3
    cepstra[:, 0] *= 0.5
    loudness = 3 * np.clip((level - peak) / 12, -3, 0)[:, None]
    return np.concatenate((cepstra, loudness, 2 * np.gradient(cepstra, axis=0)), 1)
