"""Golden 01: waveform, mel and windows."""

from sadtalker_pack.sadtalker_core.audio.mel import log_mel
from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
from sadtalker_pack.sadtalker_core.audio.windows import frame_count, mel_windows
from sadtalker_pack.tests.support.goldens import golden, kit, largest_error

GOLDEN = golden("01_audio")
LIMIT = 1e-5
SPEECH = mono_waveform(GOLDEN["wav_pcm16"][None] / 32768, 16_000)


def test_frame_count():
    assert frame_count(kit()["audio"]["samples"], 25) == kit()["audio"]["num_frames"]


def test_mel():
    used = SPEECH.samples[: kit()["audio"]["used_samples"]]
    assert largest_error(log_mel(used).T, GOLDEN["mel"]) < LIMIT


def test_windows():
    assert largest_error(mel_windows(SPEECH).windows[:, 0], GOLDEN["indiv_mels"]) < LIMIT


def test_resampled_stereo():
    resampled = mono_waveform(GOLDEN["stereo44k_pcm16"].T / 32768, 44_100)
    assert largest_error(resampled.samples, GOLDEN["resampled16k"]) < 1e-4
