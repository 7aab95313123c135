import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform, silence
from sadtalker_pack.sadtalker_core.errors import AudioError, ShapeError


def tone(hz: float, rate: int, seconds: float = 0.5) -> torch.Tensor:
    time = torch.arange(int(rate * seconds), dtype=torch.float64) / rate
    return torch.sin(2 * math.pi * hz * time).float()[None]


def test_channels_are_averaged():
    left, right = torch.rand(2, 800)
    assert torch.equal(mono_waveform(torch.stack((left, right)), 16_000).samples, (left + right) / 2)


def test_one_channel_at_16_khz_passes_unchanged_even_beyond_full_scale():
    samples = 3 * torch.randn(1, 800)
    assert torch.equal(mono_waveform(samples, 16_000).samples, samples[0])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 44_056])
def test_resampling_keeps_a_tone(rate):
    resampled = mono_waveform(tone(1000, rate), rate).samples
    ours = resampled[1000:-1000]
    assert float((ours - tone(1000, 16_000)[0, 1000 : 1000 + len(ours)]).abs().max()) < 1e-3


def test_resampling_removes_what_16_khz_cannot_hold():
    assert float(mono_waveform(tone(9000, 48_000), 48_000).samples[500:-500].abs().max()) < 1e-4


@settings(max_examples=30)
@given(samples=st.integers(1, 3000), rate=st.sampled_from([8_000, 12_345, 16_000, 44_100, 96_000, 192_000]))
def test_resampling_keeps_the_duration(samples, rate):
    waveform = mono_waveform(torch.rand(2, samples), rate)
    assert waveform.samples.shape[0] == math.ceil(samples * 16_000 / rate)
    assert waveform.samples.dtype == torch.float32


def test_fifty_milliseconds_and_silence_are_fine():
    assert mono_waveform(torch.zeros(2, 2205), 44_100).samples.count_nonzero() == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_no_sound_are_refused(bad):
    samples = torch.zeros(2, 100)
    samples[1, 50] = bad
    with pytest.raises(AudioError, match="NaN or infinite"):
        mono_waveform(samples, 16_000)


@pytest.mark.parametrize("shape", [(1, 0), (0, 100)])
def test_empty_audio_is_refused(shape):
    with pytest.raises(AudioError, match="empty"):
        mono_waveform(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("rate", [0, -16_000])
def test_impossible_sample_rates_are_refused(rate):
    with pytest.raises(AudioError, match="sample rate"):
        mono_waveform(torch.zeros(1, 100), rate)


def test_samples_have_two_axes():
    with pytest.raises(ShapeError):
        mono_waveform(torch.zeros(100), 16_000)


def test_the_callers_samples_stay_as_they_are():
    samples = torch.randn(1, 500)
    before = samples.clone()
    mono_waveform(samples, 48_000)
    assert torch.equal(samples, before)


def test_silence_has_the_asked_length():
    assert silence(1.5).seconds == 1.5
    assert silence(0).samples.shape == (1,)
    with pytest.raises(AudioError):
        silence(-1)
    with pytest.raises(AudioError):
        silence(np.inf)
