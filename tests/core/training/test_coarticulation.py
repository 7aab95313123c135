import pytest
import torch
from sadtalker_pack.sadtalker_core.face.measures import mouth_opening
from sadtalker_pack.sadtalker_core.training.coarticulation import (
    LAGS,
    NAMES,
    SILENCE,
    Coarticulation,
    closure_reach,
    closure_weight,
    fit_coarticulation,
    group_shares,
    groups_of,
    jaw_weight,
    lagged,
)
from sadtalker_pack.sadtalker_core.training.phoneme_speech import Phoneme
from torch import Tensor

BILABIAL = NAMES.index("bilabial")


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("b", ["bilabial"]),
        ("aɪ", ["open", "close front"]),
        ("tʃ", ["alveolar", "postalveolar"]),
        ("iː", ["close front"]),
        ("ɐ̃", ["open"]),
        ("", []),
    ],
)
def test_symbols_fall_into_groups(symbol, names):
    assert [NAMES[group] for group in groups_of(symbol)] == names


def test_no_letter_is_in_two_groups():
    from sadtalker_pack.sadtalker_core.training.coarticulation import GROUPS

    letters = "".join(GROUPS.values())
    assert len(letters) == len(set(letters))


def test_one_group_sounds_at_a_time_and_silence_fills_the_rest():
    shares = group_shares([Phoneme("b", 0.08, 0.16), Phoneme("a", 0.16, 0.3)], frames=10)
    assert torch.equal(shares.sum(0), torch.ones(80))
    assert shares[BILABIAL, 16:32].all()
    assert shares[SILENCE, :16].all()
    assert shares[SILENCE, 60:].all()


def test_lagged_features_look_both_ways():
    shares = group_shares([Phoneme("b", 0.2, 0.24)], frames=20)
    features = lagged(shares, 20).reshape(20, len(LAGS), len(NAMES))
    for frame in range(20):
        heard = [lag for number, lag in enumerate(LAGS) if features[frame, number, BILABIAL] > 0]
        assert heard == ([5 - frame] if abs(5 - frame) <= LAGS[-1] else [])


def test_lips_touch_at_a_bilabial_and_only_there():
    weight = closure_weight(closure_reach([Phoneme("m", 0.4, 0.48), Phoneme("a", 0.48, 0.8)], frames=30))
    assert weight[10:12].min() == 1
    assert weight[:8].max() == 0
    assert weight[15:].max() == 0


def test_f_and_v_close_the_lips_less_than_a_bilabial():
    weight = closure_weight(closure_reach([Phoneme("f", 0.4, 0.48), Phoneme("a", 0.48, 0.8)], frames=30))
    assert weight[10:12].tolist() == pytest.approx([0.7, 0.7])
    assert weight[15:].max() == 0


def test_jaw_drops_for_open_vowels_and_rises_for_close_ones():
    shares = group_shares([Phoneme("a", 0.2, 0.4), Phoneme("i", 0.6, 0.8)], frames=25)
    jaw = jaw_weight(shares, 25)
    assert jaw[7] < -0.2
    assert jaw[17] > 0.2


def test_regression_recovers_what_each_sound_does(model):
    """A speaker whose coefficient 0 is 1 during [a]: the fit predicts it for words it has not seen."""
    random = torch.Generator().manual_seed(0)
    clips = []
    for _ in range(60):
        symbols = [("a", "s", "l")[int(i)] for i in torch.randint(3, (9,), generator=random)]
        sounds = [Phoneme(symbol, 0.2 * n, 0.2 * (n + 1)) for n, symbol in enumerate(symbols)]
        expression = torch.zeros(45, 64)
        expression[:, 0] = torch.tensor([float(symbol == "a") for symbol in symbols]).repeat_interleave(5)
        clips.append((sounds, expression, torch.ones(45, dtype=torch.bool)))
    fitted = fit_coarticulation(clips[:50])
    for sounds, expression, _ in clips[50:]:
        found = (lagged(group_shares(sounds, 45), 45) - fitted.feature_mean) @ fitted.weights + fitted.expression_mean
        assert torch.allclose(found, expression, atol=0.12)


def test_a_bilabial_closes_the_lips_whatever_the_regression_says(model):
    features = len(LAGS) * len(NAMES)
    always_open = model.project(torch.zeros(1, 478, 3))[0]
    still = Coarticulation(torch.zeros(features, 64), torch.zeros(features), always_open)
    expression = still.expression(model, [Phoneme("a", 0.0, 0.4), Phoneme("p", 0.4, 0.52), Phoneme("a", 0.52, 0.9)], 25)
    opening = mouth_opening(model.mean + model.offsets(expression))
    assert opening[3] > 0.05
    assert opening[10:12].max() < 0.01  # the rest of the stop is breath


def test_a_vowel_between_two_bilabials_opens_as_far_as_the_times_allow(model):
    """All of its frames are near a closure; the jaw of the open vowel must not wait for one that isn't."""
    features = len(LAGS) * len(NAMES)
    ajar = Coarticulation(torch.zeros(features, 64), torch.zeros(features), model.project(torch.zeros(1, 478, 3))[0])

    def opening(vowel: str) -> Tensor:
        sounds = [Phoneme("m", 0.2, 0.28), Phoneme(vowel, 0.28, 0.38), Phoneme("m", 0.38, 0.46)]
        return mouth_opening(model.mean + model.offsets(ajar.expression(model, sounds, 16)))

    neutral = opening("ə")
    assert opening("a")[8] > 1.2 * neutral[8]
    assert opening("i")[8] < 0.9 * neutral[8]
    assert opening("a")[5:7] == pytest.approx(neutral[5:7], abs=1e-3)
