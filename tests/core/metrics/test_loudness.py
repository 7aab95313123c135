import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics.loudness import loudness_mouth

RATE, FRAME = 16000, 640


def tone(hertz, frames):
    return torch.sin(2 * torch.pi * hertz * torch.arange(frames * FRAME) / RATE)


def bursts(pause, sounding):
    return torch.cat((torch.zeros(pause * FRAME), 0.3 * tone(1000, sounding), torch.zeros(pause * FRAME)))


def test_open_while_it_sounds_and_shut_in_silence():
    mouth = loudness_mouth(bursts(10, 12), 32)
    assert mouth.shape == (32,)
    assert mouth[11:21].min() > 0.9
    assert mouth[:8].max() < 0.01
    assert mouth[24:].max() < 0.01


def test_it_does_not_matter_how_far_the_microphone_is():
    sound = bursts(10, 12)
    assert torch.allclose(loudness_mouth(sound, 32), loudness_mouth(0.1 * sound, 32), atol=1e-4)


@pytest.mark.parametrize("shift", [1, 5])
def test_later_sound_makes_a_later_mouth(shift):
    sound = bursts(10, 12)
    later = torch.cat((torch.zeros(shift * FRAME), sound[: -shift * FRAME]))
    assert torch.allclose(loudness_mouth(later, 32)[shift:], loudness_mouth(sound, 32)[:-shift], atol=1e-3)


def test_a_hum_below_the_voice_opens_nothing():
    sound = bursts(10, 12)
    assert torch.allclose(loudness_mouth(sound + 0.02 * tone(60, 32), 32), loudness_mouth(sound, 32), atol=0.05)
