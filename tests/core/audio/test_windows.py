from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.audio.mel import log_mel
from sadtalker_pack.sadtalker_core.audio.windows import frame_count, mel_windows, window_starts
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.flow import Waveform

FRAME_RATES = st.one_of(st.sampled_from([12.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 60.0]), st.floats(1, 240))


@given(samples=st.integers(1, 10**9))
def test_at_25_frames_a_second_a_frame_is_640_samples(samples):
    assert frame_count(samples, 25) == max(1, samples // 640)


@given(samples=st.integers(1, 10**8), fps=st.integers(1, 240))
def test_frame_count_is_exact_at_whole_rates(samples, fps):
    assert frame_count(samples, fps) == max(1, int(Fraction(samples * fps, 16_000)))


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_impossible_frame_rates_are_refused(fps):
    with pytest.raises(SadTalkerError, match="frame rate"):
        mel_windows(Waveform(torch.zeros(1000)), fps)


def test_starts_are_those_the_networks_learned_with():
    assert window_starts(8, 25).tolist() == [-6, -3, 0, 3, 6, 9, 12, 16]
    assert window_starts(4000, 25).tolist() == [int(80 * (frame - 2) / 25) for frame in range(4000)]


@settings(max_examples=50)
@given(fps=FRAME_RATES, frames=st.integers(1, 500))
def test_windows_sit_around_their_frame(fps, frames):
    middle = 80 * (torch.arange(frames) + 0.5) / fps
    offset = window_starts(frames, fps) + 8 - middle
    assert float(offset.abs().max()) < 1.001  # a column of 12.5 ms, cut to a whole number


@settings(max_examples=50)
@given(fps=FRAME_RATES, samples=st.integers(1, 30_000))
def test_every_length_gives_its_frames_at_any_rate(fps, samples):
    mel = mel_windows(Waveform(torch.linspace(-1, 1, samples)), fps)
    assert mel.windows.shape == (frame_count(samples, fps), 1, 80, 16)
    assert mel.windows.is_contiguous()
    assert float(mel.windows.abs().max()) <= 4


def test_edges_repeat_the_outermost_column():
    samples = torch.randn(6400)
    columns, windows = log_mel(samples), mel_windows(Waveform(samples)).windows
    assert torch.equal(windows[0, 0], columns[[0] * 6 + list(range(10))].T)
    assert torch.equal(windows[9, 0], columns[[*range(22, 33), *[32] * 5]].T)


def test_speech_after_the_last_whole_frame_is_not_heard():
    samples = torch.randn(6400 + 600)
    assert torch.equal(mel_windows(Waveform(samples)).windows, mel_windows(Waveform(samples[:6400])).windows)


def test_less_than_a_frame_continues_in_silence():
    samples = torch.randn(100)
    longer = torch.cat((samples, torch.zeros(540)))
    assert torch.equal(mel_windows(Waveform(samples)).windows, mel_windows(Waveform(longer)).windows)


def test_silent_speech_gives_the_lowest_level():
    assert torch.equal(mel_windows(Waveform(torch.zeros(800))).windows, torch.full((1, 1, 80, 16), -4.0))
