import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.flow import Waveform
from sadtalker_pack.sadtalker_core.training.revoice import Revoicing, revoice, revoiced_copies, stretch_bands


def test_a_peak_moves_by_the_factor():
    spectra = np.zeros((2, 100))
    spectra[:, 40] = 1
    assert stretch_bands(spectra, 1.25).argmax(1).tolist() == [50, 50]


def test_factor_one_changes_nothing():
    spectra = np.random.default_rng(0).random((3, 64))
    assert np.allclose(stretch_bands(spectra, 1.0), spectra)


def buzz(pitch, seconds=1.0):
    time = np.arange(int(16000 * seconds)) / 16000
    return sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20)) * 0.1


def test_pitch_and_duration_change_as_asked():
    pytest.importorskip("pyworld")
    changed = Revoicing(1, (2.0, 2.0), (1.0, 1.0), (1.0, 1.0), (1.1, 1.1), 0.0, 0.0, 0.0)
    [(samples, duration)] = revoice(buzz(110.0), changed, np.random.default_rng(0))
    assert duration == pytest.approx(1.1)
    assert len(samples) == pytest.approx(1.1 * 16000, rel=0.01)
    spectrum = np.abs(np.fft.rfft(samples[4000:12000] * np.hanning(8000)))
    assert spectrum[60:160].argmax() + 60 == pytest.approx(220 / 2, abs=2)  # bins of 2 Hz


def test_copies_are_kept_and_read_back(tmp_path):
    pytest.importorskip("pyworld")
    voices = [("one", Waveform(torch.from_numpy(buzz(120.0)).float()))]
    first = revoiced_copies(voices, tmp_path, Revoicing(copies=2), workers=1)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = revoiced_copies(voices, tmp_path, Revoicing(copies=2), workers=1)
    assert file.stat().st_mtime_ns == written
    assert len(first["one"]) == 2
    assert all(torch.equal(a.mel, b.mel) for a, b in zip(first["one"], again["one"], strict=True))
    assert [copy.duration for copy in first["one"]] == [copy.duration for copy in again["one"]]
