from math import isnan

import pytest
import torch
from sadtalker_pack.sadtalker_core.evaluation.phonemes import (
    SpokenMouth,
    bilabial_closures,
    closest_at,
    measure_phonemes,
    ordered_pairs,
    sentences_for,
    value_at,
)
from sadtalker_pack.sadtalker_core.metrics.mouth import MouthTrack
from sadtalker_pack.sadtalker_core.training.phoneme_speech import EVALUATION_VOICES, Phoneme

SOUNDS = ("ɑː", "p", "iː", "f", "u", "b", "æ", "w", "t")
OPENING = {"ɑː": 0.2, "æ": 0.15, "iː": 0.05, "u": 0.04, "p": 0.0, "b": 0.0}
WIDTH = {"u": 0.4, "w": 0.42, "iː": 0.6}
LIP = {"f": -0.5}
FRAMES = 4
"""Of each sound."""


def utterance(opening=OPENING, width=WIDTH, lip=LIP, sounds=SOUNDS):
    seconds = FRAMES / 25
    phonemes = [Phoneme(s, n * seconds, (n + 1) * seconds) for n, s in enumerate(sounds)]

    def curve(values, usual):
        return torch.tensor([values.get(s, usual) for s in sounds for _ in range(FRAMES)])

    return phonemes, MouthTrack(curve(opening, 0.08), curve(width, 0.5), curve(lip, -0.6))


def test_a_mouth_that_shows_the_sounds():
    figures = measure_phonemes([SpokenMouth("one", [utterance()], 0.0), SpokenMouth("two", [utterance()], 0.0)])
    assert figures.open_over_close == figures.rounded_under_spread == 1
    assert figures.lower_lip_raised == figures.lips_closed == 1
    assert figures.open_over_close_pairs == 2 * 2 * 2
    assert figures.rounded_under_spread_pairs == 2 * 2 * 1
    assert figures.lips_closed_cases == 2 * 2


def test_a_mouth_that_shows_the_opposite():
    opening = {"ɑː": 0.05, "æ": 0.05, "iː": 0.2, "u": 0.2, "p": 0.1, "b": 0.1}
    figures = measure_phonemes(
        [SpokenMouth("one", [utterance(opening, {"u": 0.6, "w": 0.6, "iː": 0.4}, {"f": -0.7})], 0.0)]
    )
    assert figures.open_over_close == figures.rounded_under_spread == 0
    assert figures.lower_lip_raised == figures.lips_closed == 0


def test_pairs_are_of_one_voice():
    """One voice speaks with a wider mouth altogether: its i must not be held against the other's a."""
    wide = {sound: 3 * value for sound, value in OPENING.items()}
    figures = measure_phonemes([SpokenMouth("one", [utterance()], 0.0), SpokenMouth("two", [utterance(wide)], 0.0)])
    assert figures.open_over_close == 1


def test_without_such_sounds_there_is_no_figure():
    figures = measure_phonemes([SpokenMouth("one", [utterance(sounds=("t", "k"))], 0.0)])
    assert isnan(figures.lips_closed)
    assert figures.lips_closed_cases == figures.open_over_close_pairs == 0


def test_value_at_reads_between_frames():
    ramp = torch.arange(10, dtype=torch.float32)  # frame n is seen at (n + 0.5) / 25 s
    assert value_at(ramp, Phoneme("a", 3.0 / 25, 5.0 / 25)) == pytest.approx(3.5)
    assert value_at(ramp, Phoneme("a", 4.4 / 25, 4.6 / 25)) == pytest.approx(4.0)
    assert value_at(ramp, Phoneme("a", 20 / 25, 21 / 25)) == 9


@pytest.mark.parametrize(("distance", "closed"), [(0, True), (2, True), (-2, True), (3, False), (-3, False)])
def test_lips_must_meet_within_two_frames(distance, closed):
    curve = torch.full((21,), 0.1)
    curve[10 + distance] = 0.0
    assert (closest_at(curve, Phoneme("p", 10.0 / 25, 11.0 / 25)) < 0.01) == closed


def test_closed_means_as_closed_as_the_portrait():
    phonemes, mouth = utterance()
    lifted = MouthTrack(mouth.opening + 0.02, mouth.width, mouth.lower_lip)
    assert torch.allclose(bilabial_closures(SpokenMouth("one", [(phonemes, lifted)], 0.02)), torch.zeros(2), atol=1e-6)
    assert float(bilabial_closures(SpokenMouth("one", [(phonemes, lifted)], 0.0)).min()) > 0.05


def test_ordered_pairs():
    assert ordered_pairs(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0, 3.0])).tolist() == [1, 0, 0, 1, 1, 0]


def test_every_voice_has_something_to_read():
    for voice in EVALUATION_VOICES:
        assert len(sentences_for(voice)) >= 3
