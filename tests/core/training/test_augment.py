import torch
from sadtalker_pack.sadtalker_core.training.augment import (
    DECIBEL,
    HIDDEN_SHARE,
    MOST_HIDDEN,
    add_noise,
    augment_mel,
    hide_bands,
    warp_bands,
)


def mel(batch=6):
    return torch.rand(batch, 1, 80, 16, generator=torch.Generator().manual_seed(1)) * 6 - 3.5


def test_same_generator_state_same_result():
    first, second = (augment_mel(mel(), torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, augment_mel(mel(), torch.Generator().manual_seed(8)))


def test_result_stays_in_the_range_of_a_mel_window():
    augmented = augment_mel(mel(64), torch.Generator().manual_seed(2))
    assert augmented.shape == (64, 1, 80, 16)
    assert augmented.min() >= -4
    assert augmented.max() <= 4


def test_silence_gets_noise_but_no_level():
    silent = augment_mel(torch.full((64, 1, 80, 16), -4.0), torch.Generator().manual_seed(3))
    assert silent.max() < -4 + DECIBEL * 60


def test_factor_one_leaves_the_bands_alone():
    assert torch.allclose(warp_bands(mel(), torch.ones(6, 1, 1, 1)), mel(), atol=1e-5)


def test_a_formant_moves_by_the_factor():
    peak = torch.full((1, 1, 80, 16), -4.0)
    peak[:, :, 40] = 4.0
    moved = warp_bands(peak, torch.full((1, 1, 1, 1), 1.25))
    assert moved[0, 0, :, 0].argmax().item() == 32


def test_two_equal_sounds_are_three_decibels_louder():
    both = add_noise(mel(), mel())
    assert torch.allclose(both - mel(), torch.full_like(both, 3.01 * DECIBEL), atol=1e-3)


def test_faint_noise_changes_nothing_that_is_loud():
    loud = torch.full((1, 1, 80, 16), 2.0)
    assert torch.allclose(add_noise(loud, torch.full_like(loud, -4.0)), loud, atol=1e-4)


def test_a_stretch_of_bands_is_silenced_in_all_columns():
    hidden = hide_bands(torch.zeros(2000, 1, 80, 16), torch.Generator().manual_seed(0)) == -4
    assert torch.equal(hidden, hidden[..., :1].expand_as(hidden))
    bands = hidden[:, 0, :, 0]
    assert int(bands.sum(1).max()) == MOST_HIDDEN
    assert bool((bands.int().diff(dim=1, prepend=torch.zeros(2000, 1, dtype=torch.int)) == 1).sum(1).le(1).all())
    # A width of no band at all is one of the widths.
    expected = HIDDEN_SHARE * MOST_HIDDEN / (MOST_HIDDEN + 1)
    assert abs(float(bands.any(1).float().mean()) - expected) < 0.04
    assert bool(bands.any(0).all())
