import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.face.measures import mouth_opening
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.training.coarticulation import LAGS, NAMES, Coarticulation
from sadtalker_pack.sadtalker_core.training.phoneme_speech import Phoneme, PhonemeSpeech
from sadtalker_pack.sadtalker_core.training.synthetic_speech import (
    made_up_words,
    quiet_utterances,
    room_noise,
    synthetic_utterances,
    within_silence,
)


def test_words_are_reproducible_and_hold_bilabials():
    words = made_up_words(np.random.default_rng(1), 200)
    assert words == made_up_words(np.random.default_rng(1), 200)
    assert len(words.split()) == 200
    assert sum(letter in "bpm" for letter in words) > 60


def test_silence_around_speech_delays_its_phonemes():
    spoken = PhonemeSpeech(torch.ones(16000), (Phoneme("a", 0.25, 0.5),))
    wrapped = within_silence(spoken, np.random.default_rng(0))
    before = int((wrapped.samples == 1).nonzero()[0])
    assert wrapped.phonemes[0].start_s == pytest.approx(0.25 + before / 16000)
    assert wrapped.samples[:before].abs().max() < 1e-3


def test_rooms_are_of_all_levels_and_never_speak():
    resting = torch.randn(64)
    rooms = quiet_utterances(resting, 12, seed=0)
    again = quiet_utterances(resting, 12, seed=0)
    assert all(torch.equal(room.mel, same.mel) for room, same in zip(rooms, again, strict=True))
    levels = torch.stack([room.mel.float().mean() for room in rooms])
    assert levels.max() - levels.min() > 1  # 12 dB
    assert all((room.expression == resting).all() for room in rooms)
    decibels = [20 * float(room_noise(np.random.default_rng(seed)).std().log10()) for seed in range(12)]
    assert min(decibels) > -76
    assert max(decibels) < -36


def test_utterances_close_the_lips_where_their_words_do(synthesiser):
    model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors")
    features = len(LAGS) * len(NAMES)
    open_mouth = Coarticulation(torch.zeros(features, 64), torch.zeros(features), torch.zeros(64))
    [utterance] = synthetic_utterances(model, open_mouth, torch.zeros(64), 1, seed=0)
    opening = mouth_opening(model.mean + model.offsets(utterance.expression))
    frames = len(opening)
    assert utterance.mel.shape[0] >= frames * 80 // 25
    # The most weighted frames are those whose lips touch.
    assert opening[utterance.weight == utterance.weight.max()].max() < 0.01
    assert opening[utterance.weight == 1].mean() > 0.04
