import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.mel import log_mel, mel_filters


def test_filters_are_those_of_librosa():
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(sr=16_000, n_fft=800, n_mels=80, fmin=55, fmax=7600)
    assert torch.allclose(mel_filters().float(), torch.from_numpy(theirs).T, atol=1e-7)


def test_silence_lies_at_the_lower_limit():
    assert torch.equal(log_mel(torch.zeros(1000)), torch.full((6, 80), -4.0))


def test_loud_noise_stays_within_the_limits():
    mel = log_mel(1e6 * torch.randn(4000))
    assert float(mel.max()) == 4
    assert mel.isfinite().all()


@pytest.mark.parametrize(("samples", "columns"), [(1, 1), (199, 1), (200, 2), (16_000, 81)])
def test_one_column_every_200_samples(samples, columns):
    assert log_mel(torch.randn(samples)).shape == (columns, 80)


def test_higher_tones_light_higher_bands():
    bands = [
        int(log_mel(torch.sin(2 * math.pi * hz * torch.arange(8000) / 16_000))[20].argmax()) for hz in (200, 1000, 5000)
    ]
    assert bands == sorted(set(bands))


def test_chunks_leave_no_seam(monkeypatch):
    samples = torch.randn(20_000)
    whole = log_mel(samples)
    monkeypatch.setattr("sadtalker_pack.sadtalker_core.audio.mel._CHUNK", 7)
    assert torch.allclose(log_mel(samples), whole, atol=1e-6)
