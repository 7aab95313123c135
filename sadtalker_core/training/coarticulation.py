"""Phonemes and their times -> expression coefficients: a linear model of coarticulation, fitted on recorded clips.

The mouth at a moment depends on the phonemes within 0.2 s around it; a ridge regression learns how much on which.
What the regression blurs and speech needs is put back afterwards: bilabials close the lips, f and v nearly do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..face.morphable import MorphableModel
from ..flow import MODEL_FPS
from .phoneme_speech import STOPS, Phoneme
from .speech_data import close_lips

STEPS_PER_SECOND = 200
"""Resolution of phoneme times."""
LAGS = tuple(range(-5, 6))
"""Video frames around a moment whose phonemes shape the mouth."""
RIDGE = 20.0
"""Penalty of the regression, in frames."""

GROUPS: dict[str, str] = {
    "silence": "",
    "bilabial": "pbmɓʙɸβ",
    "labiodental": "fvɱʋ",
    "dental": "θð",
    "alveolar": "tdnɾrʈɖɳɗ",
    "lateral": "lɫɭʎɬɮ",
    "sibilant": "szʂʐ",
    "postalveolar": "ʃʒɕʑʧʤ",
    "velar": "kɡgŋxɣqɢχʁɴʀ",
    "rhotic": "ɹɻɽ",
    "labiovelar": "wʍɥ",
    "palatal": "jçɟcɲʝ",
    "close front": "iɪɨᵻ",
    "mid front": "e",
    "open-mid front": "ɛ",
    "open": "aɑæɐʌ",
    "rounded open-mid": "ɔɒœɶ",
    "rounded mid": "oøɵɤ",
    "rounded close": "uʊyʏʉɯ",
    "central": "əɜɘɚɝɞhɦħʕʔ",
}
"""Sounds that look alike, as IPA letters; other letters are passed over. Each group occurs in GRID's words."""
RELEASE_S = 0.045
"""Seconds of a bilabial stop that come after its burst."""
HOLDS = {"bilabial": 1.0, "labiodental": 0.7}
"""How far a consonant closes the lips; at f and v the lower lip rises to the teeth."""
CLOSING = {"close front": 0.75, "rounded close": 0.55, "open": -0.9}
"""How far the jaw of a vowel differs from the regression's: 1 would close the lips. GRID's speaker smiles his [i] open,
and its sentences hold hardly a stressed open vowel, so that the regression alone opens both alike."""
NAMES = tuple(GROUPS)
SILENCE = NAMES.index("silence")
_GROUP_OF = {letter: number for number, letters in enumerate(GROUPS.values()) for letter in letters}


@dataclass(frozen=True, slots=True)
class Coarticulation:
    """The fitted regression."""

    weights: Tensor
    """(len(LAGS) * groups, 64)"""
    feature_mean: Tensor
    expression_mean: Tensor
    """(64,)"""

    def expression(self, model: MorphableModel, phonemes: Sequence[Phoneme], frames: int) -> Tensor:
        """Expressions (frames, 64) at 25 frames a second, lips closed in the middle of bilabials, nearly at f and v."""
        shares = group_shares(phonemes, frames)
        smooth = (lagged(shares, frames) - self.feature_mean) @ self.weights + self.expression_mean
        # As the lips part, the jaw of the vowel takes over: a vowel between two bilabials has no other frames.
        reach = closure_reach(phonemes, frames)
        closed = closure_weight(reach) + (1 - reach.amax(0)) * jaw_weight(shares, frames)
        return torch.lerp(smooth, close_lips(model, smooth), closed[:, None])


def fit_coarticulation(utterances: Sequence[tuple[Sequence[Phoneme], Tensor, Tensor]]) -> Coarticulation:
    """Ridge regression on (phonemes, expression (T, 64), valid (T,) bool) of aligned clips of one speaker."""
    features = torch.cat([lagged(group_shares(s, len(e)), len(e))[v] for s, e, v in utterances]).double()
    expression = torch.cat([e[v] for _, e, v in utterances]).double()
    feature_mean, expression_mean = features.mean(0), expression.mean(0)
    features, expression = features - feature_mean, expression - expression_mean
    cost = features.T @ features + RIDGE * torch.eye(features.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(cost, features.T @ expression)
    return Coarticulation(weights.float(), feature_mean.float(), expression_mean.float())


def groups_of(symbol: str) -> list[int]:
    """Groups of the sounds in an IPA symbol, in their order: diphthongs and affricates have two."""
    letters = unicodedata.normalize("NFD", symbol)
    return [_GROUP_OF[letter] for letter in letters if letter in _GROUP_OF]


def group_shares(phonemes: Sequence[Phoneme], frames: int) -> Tensor:
    """(groups, steps) which group sounds in each 5 ms step of ``frames`` video frames; silence between the sounds."""
    steps = frames * STEPS_PER_SECOND // MODEL_FPS
    shares = torch.zeros(len(GROUPS), steps)
    shares[SILENCE] = 1
    for phoneme in phonemes:
        groups = groups_of(phoneme.symbol)
        for part, group in enumerate(groups):
            length = (phoneme.end_s - phoneme.start_s) / len(groups)
            start = round((phoneme.start_s + part * length) * STEPS_PER_SECOND)
            end = max(start + 1, round((phoneme.start_s + (part + 1) * length) * STEPS_PER_SECOND))
            shares[:, max(0, start) : max(0, end)] = 0
            shares[group, max(0, start) : max(0, end)] = 1
    return shares


def lagged(shares: Tensor, frames: int) -> Tensor:
    """(frames, LAGS * groups): mean of the shares over each of the video frames around a frame."""
    steps = STEPS_PER_SECOND // MODEL_FPS
    per_frame = shares[:, : frames * steps].reshape(shares.shape[0], frames, steps).mean(-1)
    reach = LAGS[-1]
    quiet = per_frame.new_zeros(shares.shape[0], reach)
    quiet[SILENCE] = 1
    padded = torch.cat((quiet, per_frame, quiet), 1)
    return padded.unfold(1, len(LAGS), 1).permute(1, 2, 0).flatten(1)  # (frames, LAGS * groups)


def jaw_weight(shares: Tensor, frames: int) -> Tensor:
    """(frames,) how far the vowels sounding at each frame close (above 0) or open the mouth, smooth over 120 ms."""
    closing = shares.new_tensor([CLOSING.get(name, 0.0) for name in NAMES]) @ shares
    steps = STEPS_PER_SECOND // MODEL_FPS
    width = 3 * steps
    padded = F.pad(closing[None, None, : frames * steps], (steps, steps))
    return F.avg_pool1d(padded, width, steps)[0, 0]


def closure_weight(reach: Tensor) -> Tensor:
    """(frames,) how far consonants of this ``closure_reach`` hold the lips together, see ``HOLDS``."""
    return (reach.new_tensor([*HOLDS.values()])[:, None] * reach).amax(0)


def closure_reach(phonemes: Sequence[Phoneme], frames: int) -> Tensor:
    """(len(HOLDS), frames) where such consonants hold the lips: 1, falling to 0 from 0.3 to 1.3 frames off."""
    middle = (torch.arange(frames) + 0.5) / MODEL_FPS
    reach = torch.zeros(len(HOLDS), frames)
    for phoneme in phonemes:
        # The lips part at the burst of a stop, before the breath that follows it.
        breath = RELEASE_S if phoneme.symbol.startswith(tuple(STOPS)) else 0.0
        release = max(phoneme.start_s, phoneme.end_s - breath)
        outside = torch.maximum(phoneme.start_s - middle, middle - release).clamp_min(0)
        near = (1.3 - outside * MODEL_FPS).clamp(0, 1)
        names = {NAMES[group] for group in groups_of(phoneme.symbol)}
        for kind, name in enumerate(HOLDS):
            if name in names:
                reach[kind] = torch.maximum(reach[kind], near)
    return reach
