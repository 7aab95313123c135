from math import isnan, pi

import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.sound_file import read_speech
from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
from sadtalker_pack.sadtalker_core.files.assets import DEMO_ASSETS
from sadtalker_pack.sadtalker_core.metrics import requirements
from sadtalker_pack.sadtalker_core.metrics.beat_align import TOLERANCE_SECONDS, beat_align, motion_beats, speech_onsets
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError

BEAT = 0.6
SECONDS = 12


def metronome():
    """Clicks every 0.6 s, faded tones of 40 ms."""
    time = torch.arange(int(0.04 * 16000)) / 16000
    click = torch.sin(2 * pi * 1000 * time) * torch.exp(-time * 80)
    samples = torch.zeros(SECONDS * 16000)
    for beat in range(1, int(SECONDS / BEAT)):
        start = round(beat * BEAT * 16000)
        samples[start : start + len(click)] += click
    return samples


def nods(late_s=0.0):
    """A head that nods once a beat, and turns round on the beat and halfway to the next."""
    middle = (torch.arange(SECONDS * 25) + 0.5) / 25
    pitch = 0.1 * torch.cos(2 * pi * (middle - late_s) / BEAT)
    return torch.stack((pitch, torch.zeros_like(pitch), torch.zeros_like(pitch)), 1)


def test_a_nodding_head_turns_round_twice_a_beat():
    beats = motion_beats(nods())
    inside = beats[(beats > 1) & (beats < SECONDS - 1)]
    assert torch.allclose(inside / (BEAT / 2), (inside / (BEAT / 2)).round(), atol=0.1)
    assert torch.allclose(inside.diff(), torch.full_like(inside.diff(), BEAT / 2), atol=0.05)


def test_nods_on_the_beat_score_near_one_and_others_less():
    onsets = BEAT * torch.arange(1, int(SECONDS / BEAT), dtype=torch.float64)
    on = beat_align(onsets, motion_beats(nods()))
    slightly = beat_align(onsets, motion_beats(nods(late_s=0.06)))
    off = beat_align(onsets, motion_beats(nods(late_s=BEAT / 4)))
    assert on > 0.95
    assert off < slightly < on
    assert off < 0.05


def test_with_onsets_that_librosa_hears():
    pytest.importorskip("librosa")
    onsets = speech_onsets(metronome())
    assert len(onsets) == int(SECONDS / BEAT) - 1
    assert beat_align(onsets, motion_beats(nods())) > 0.85
    assert beat_align(onsets, motion_beats(nods(late_s=BEAT / 4))) < 0.1


class TestOnsets:
    @pytest.fixture(autouse=True)
    def _librosa(self):
        pytest.importorskip("librosa")

    @pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
    @pytest.mark.parametrize("phase", [0.0, pi / 2])
    def test_a_steady_tone_that_is_there_from_the_first_sample_has_none(self, rate, phase):
        tone = 0.3 * torch.sin(2 * pi * 220 * torch.arange(3 * rate) / rate + phase)
        assert len(speech_onsets(mono_waveform(tone[None], rate).samples)) == 0

    def test_a_tone_that_sets_in_later_has_one(self):
        tone = 0.3 * torch.sin(2 * pi * 220 * torch.arange(48_000) / 16_000)
        tone[:8000] = 0
        assert speech_onsets(tone).tolist() == pytest.approx([0.5], abs=0.03)

    def test_even_noise_has_none(self):
        assert len(speech_onsets(0.05 * torch.randn(48_000))) == 0

    @pytest.mark.parametrize("count", [1, 2, 100, 2048, 16_000])
    def test_silence_of_any_length_has_none(self, count):
        assert len(speech_onsets(torch.zeros(count))) == 0

    def test_the_demo_speech_keeps_its_onsets(self):
        """librosa alone finds 47; a threshold made for tones and noise must not cost words."""
        assert 45 <= len(speech_onsets(read_speech(DEMO_ASSETS / "speech.wav").samples)) <= 48


def test_the_score_is_a_bell_of_the_distance():
    onsets = torch.tensor([1.0, 2.0])
    beats = torch.tensor([1.0, 2.0 + TOLERANCE_SECONDS, 5.0])
    assert beat_align(onsets, beats) == pytest.approx((1 + 0.60653) / 2, abs=1e-4)
    assert beat_align(onsets, torch.zeros(0)) == 0
    assert isnan(beat_align(torch.zeros(0), beats))


def test_a_still_head_has_no_beats():
    assert motion_beats(torch.zeros(100, 3)).numel() == 0


def test_without_librosa(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(requirements.importlib, "import_module", missing)
    with pytest.raises(NotMeasuredError, match="pip install librosa"):
        speech_onsets(metronome())
