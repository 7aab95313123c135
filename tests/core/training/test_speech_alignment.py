import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.training.phoneme_speech import Phoneme
from sadtalker_pack.sadtalker_core.training.speech_alignment import align, grid_sentence, realign, warping_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bbaf2n", "bin blue at F two now"),
        ("swwp2s", "set white with P two soon"),
        ("lgiaza", "lay green in eigh zero again"),
        ("prbz4p", "place red by zed four please"),
    ],
)
def test_names_of_grid_clips_are_their_words(name, words):
    assert grid_sentence(name) == words


def test_path_of_equal_sequences_is_the_diagonal():
    rows = np.random.default_rng(0).normal(size=(20, 4))
    assert np.array_equal(warping_path(rows, rows), np.stack((np.arange(20), np.arange(20)), 1))


def test_path_of_a_slower_copy_goes_twice_as_far():
    rows = np.random.default_rng(0).normal(size=(20, 4))
    path = warping_path(rows, rows.repeat(2, 0))
    assert np.array_equal(np.unique(path[:, 0]), np.arange(20))
    assert np.abs(path[:, 1] / 2 - path[:, 0]).max() <= 1


def speech(order, columns):
    """Log-mel (C, 80) of made-up sounds, each a peak at its own band; silence before and after."""
    bands = torch.arange(80.0)
    parts = [torch.full((30, 80), -4.0)]
    for band in order:
        parts.append((2 - 5 * ((bands - band) / 10).square()).clamp(-4, 4).expand(columns, 80))
    parts.append(torch.full((30, 80), -4.0))
    mel = torch.cat(parts)
    return mel + 0.01 * torch.rand(mel.shape, generator=torch.Generator().manual_seed(0))


def test_sounds_are_carried_over_to_slower_speech():
    order = (10, 50, 30, 70)
    sounds = [Phoneme(str(band), (30 + 12 * n) / 80, (42 + 12 * n) / 80) for n, band in enumerate(order)]
    carried = align(sounds, speech(order, 12), speech(order, 18))
    for number, sound in enumerate(carried):
        assert sound.start_s == pytest.approx((30 + 18 * number) / 80, abs=0.03)


def test_realignment_mends_wrong_borders():
    orders = [tuple(int(b) for b in np.random.default_rng(n).permutation([10, 30, 50, 70])) for n in range(12)]
    clips = []
    for number, order in enumerate(orders):
        wrong = 0.03 * (-1) ** number
        sounds = [Phoneme(str(b), (30 + 16 * n) / 80 + wrong, (46 + 16 * n) / 80 + wrong) for n, b in enumerate(order)]
        clips.append((sounds, speech(order, 16)))
    for sounds in realign(clips):
        assert [s.start_s for s in sounds] == pytest.approx([(30 + 16 * n) / 80 for n in range(4)], abs=0.015)
