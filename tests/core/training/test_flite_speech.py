"""Speech in people's voices: the times against the sound itself, the names of the sounds, the errors."""

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.measures import mouth_opening
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.training import flite_speech
from sadtalker_pack.sadtalker_core.training.coarticulation import LAGS, NAMES, Coarticulation, groups_of
from sadtalker_pack.sadtalker_core.training.flite_speech import FLITE_VOICES, IPA, speak_flite
from sadtalker_pack.sadtalker_core.training.synthetic_speech import flite_utterances, random_flite_speech


@pytest.fixture(scope="module")
def flite() -> None:
    try:
        speak_flite("a", "slt")
    except SadTalkerError as error:
        pytest.skip(str(error))


def level(samples, start_s, end_s):
    return float(samples[round(start_s * 16000) : round(end_s * 16000)].square().mean().sqrt())


@pytest.mark.usefixtures("flite")
@pytest.mark.parametrize("voice", FLITE_VOICES)
def test_times_agree_with_the_sound(voice):
    spoken = speak_flite("happy papa, peppy puppy", voice)
    assert sum(p.symbol == "p" for p in spoken.phonemes) == 7
    for phoneme, following in zip(spoken.phonemes, spoken.phonemes[1:], strict=False):
        assert phoneme.start_s < phoneme.end_s <= following.start_s + 1e-6
        if phoneme.symbol == "p" and following.symbol in "iɑæɛʌə":
            shut_s = 0.5 * (phoneme.end_s - phoneme.start_s)
            closed = level(spoken.samples, phoneme.start_s + 0.2 * shut_s, phoneme.start_s + shut_s)
            assert closed < 0.5 * level(spoken.samples, following.start_s, following.end_s)


@pytest.mark.usefixtures("flite")
def test_the_same_call_gives_the_same_speech_and_stretch_lengthens_it():
    first, second = speak_flite("one two", "rms"), speak_flite("one two", "rms")
    assert first.phonemes == second.phonemes
    assert torch.equal(first.samples, second.samples)
    slow, fast = speak_flite("one two", "rms", stretch=1.5), speak_flite("one two", "rms", stretch=0.75)
    assert len(slow.samples) == pytest.approx(2 * len(fast.samples), rel=0.05)
    assert 0.05 < float(slow.samples.abs().max()) <= 1


def test_every_sound_has_its_letters():
    assert all(groups_of(symbol) for symbol in IPA.values())


@pytest.mark.parametrize(
    ("voice", "stretch", "message"),
    [("nobody", 1.0, "no voice 'nobody'. Expected one of: awb"), ("slt", 3.0, "between 0.6 and 1.6, got 3.0")],
)
def test_errors_say_what_to_do(voice, stretch, message):
    with pytest.raises(SadTalkerError, match=message):
        speak_flite("hello", voice, stretch=stretch)


def test_without_the_library():
    with pytest.raises(SadTalkerError, match="apt-get install libflite1"):
        flite_speech._load("no-such-library")


@pytest.mark.usefixtures("flite")
def test_copies_in_other_voices_close_the_lips_with_their_words(tmp_path):
    pytest.importorskip("pyworld")
    model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors")
    features = len(LAGS) * len(NAMES)
    open_mouth = Coarticulation(torch.zeros(features, 64), torch.zeros(features), torch.zeros(64))
    made = flite_utterances(model, open_mouth, torch.zeros(64), 1, 0, tmp_path, workers=1)
    assert len(made) == 7
    spoken = random_flite_speech(np.random.default_rng(0))
    assert spoken.phonemes
    for utterance in made:
        opening = mouth_opening(model.mean + model.offsets(utterance.expression))
        assert utterance.mel.shape[0] >= len(opening) * 80 // 25
        assert opening[utterance.weight == utterance.weight.max()].max() < 0.01
        assert opening[utterance.weight == 1].mean() > 0.04
