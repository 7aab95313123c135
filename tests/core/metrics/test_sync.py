from math import pi

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.flow import Waveform
from sadtalker_pack.sadtalker_core.metrics.mfcc import mfcc
from sadtalker_pack.sadtalker_core.metrics.networks.syncnet import SyncNet
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.sync import MAX_SHIFT, SHORTEST, LipSync, sync_features, sync_score
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip
from sadtalker_pack.sadtalker_core.metrics.weight_files import SYNCNET
from sadtalker_pack.tests.support.evaluation_files import filled
from torch import nn


def embeddings(count, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).standard_normal((count, 1024)).astype("float32"))


@pytest.mark.parametrize("lag", [-15, -4, 0, 1, 15])
def test_a_shift_is_found_exactly(lag):
    """Lips that come so many windows after the voice."""
    both = embeddings(120)
    lips, speech = both[20:100], both[20 + lag : 100 + lag]
    assert sync_score(lips, speech).offset == lag


def test_known_score():
    """Against the definition, window by window, with zeros beyond the ends."""
    lips, speech = embeddings(40), embeddings(40, seed=1)
    speech[2:] += lips[:-2]  # heard two windows later
    found = sync_score(lips, speech)
    means = {}
    for shift in range(-MAX_SHIFT, MAX_SHIFT + 1):
        voices = [speech[i + shift] if 0 <= i + shift < 40 else torch.zeros(1024) for i in range(40)]
        pairs = zip(lips, voices, strict=True)
        means[shift] = np.mean([np.linalg.norm((lip - voice + 1e-6).numpy().astype(float)) for lip, voice in pairs])
    least = min(means, key=means.__getitem__)
    assert least == 2
    assert found.offset == -2
    assert found.distance == pytest.approx(means[2], rel=1e-5)
    assert found.confidence == pytest.approx(sorted(means.values())[15] - means[2], abs=1e-4)
    assert found.confidence > 5


def test_equal_features():
    features = embeddings(60)
    found = sync_score(features, features)
    assert found.distance == pytest.approx(1e-6 * 1024**0.5, rel=1e-3)
    assert found.offset == 0
    assert found.confidence > 40


QUIET, RANGE = 0.01, 3.0
TONE = torch.sin(2 * pi * torch.arange(640) / 16) * (torch.arange(640) < 480)
"""Of one frame; silent at its end, so that a loud one is not heard in the next."""
BASE = float(mfcc(QUIET * TONE)[0, 0])


class Listener(nn.Module):
    """Reads from blue pictures how loud they are meant to be, and from a tone how loud it is, frame by frame."""

    def __init__(self):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1), requires_grad=False)

    def lips(self, frames):
        assert float(frames[:, 1:].max()) == 0  # blue comes first
        return frames[:, 0].mean((1, 2)).unfold(0, 5, 1) / 255

    def speech(self, windows):
        assert windows.shape[1:] == (13, 20)
        return (windows[:, 0, ::4] - BASE) / (2 * RANGE)  # the first column of a frame lies wholly within it


def talking(frames, late=0, seed=0):
    """How loud each frame is (T,), pictures whose blue says so some frames later, and a tone that is."""
    levels = torch.from_numpy(np.random.RandomState(seed).randint(0, 256, frames)).float() / 255
    pictures = torch.zeros(frames, 3, 224, 224, dtype=torch.uint8)
    pictures[:, 2] = (255 * levels).round().byte().roll(late)[:, None, None]
    return levels, pictures, (QUIET * torch.exp(RANGE * levels)[:, None] * TONE).flatten()


def test_windows_of_lips_and_voice_are_those_of_the_same_five_frames():
    levels, pictures, tone = talking(50)
    lips, speech = sync_features(Listener(), pictures, tone)
    windows = levels.unfold(0, 5, 1)[:45]  # the last window is left out, as its last column of sound is not whole
    assert torch.allclose(lips, windows, atol=1e-6)
    assert torch.allclose(speech, windows, atol=0.02)


def test_the_shorter_of_both_counts():
    _, pictures, tone = talking(50)
    known = sync_features(Listener(), pictures[:42], tone[: 42 * 640])
    for cut in ((pictures[:42], tone), (pictures, tone[: 42 * 640 + 639])):
        lips, speech = sync_features(Listener(), *cut)
        assert torch.equal(lips, known[0])
        assert torch.allclose(speech, known[1], atol=0.02)


def clip_of(pictures, samples):
    count = len(pictures)
    waveform = None if samples is None else Waveform(samples)
    frames = torch.zeros(count, 3, 256, 256, dtype=torch.uint8)
    return VideoClip("a", frames, torch.zeros(count, 478, 3), waveform, sync_frames=pictures)


@pytest.mark.parametrize("late", [-7, 0, 3])
def test_late_pictures_are_measured_as_such(late):
    _, pictures, tone = talking(75, late)
    found = LipSync(Listener()).measure(clip_of(pictures, tone))
    assert set(found) == {figure.key for figure in LipSync.figures}
    assert found["sync_offset"] == late
    assert found["lse_c"] > 0.3
    assert found["lse_d"] < 0.3


def test_batches_do_not_matter_to_the_network():
    network = filled(SyncNet, SYNCNET.name)
    pictures = torch.from_numpy(np.random.RandomState(3).randint(0, 256, (24, 3, 224, 224)).astype(np.uint8))
    samples = torch.from_numpy(np.random.RandomState(4).standard_normal(24 * 640)).float() / 10
    lips, speech = sync_features(network, pictures, samples)
    assert lips.shape == speech.shape == (19, 1024)
    one, voice = sync_features(network, pictures[17:24], samples[17 * 640 :])
    assert torch.allclose(one, lips[17:], rtol=1e-3, atol=1e-3 * float(lips.abs().max()))
    # The first column of a recording has no sample before it to take the difference to.
    assert torch.allclose(voice[1:], speech[18:], rtol=1e-3, atol=1e-3 * float(speech.abs().max()))
    assert torch.equal(sync_features(network, pictures, samples)[0], lips)


@pytest.mark.parametrize(
    ("pictures", "samples", "need"),
    [
        (talking(40)[1], None, "sound"),
        (talking(SHORTEST - 1)[1], torch.zeros(40 * 640), f"{SHORTEST} frames"),
    ],
)
def test_clips_that_lack_something(pictures, samples, need):
    with pytest.raises(NotMeasuredError, match=need):
        LipSync(Listener()).measure(clip_of(pictures, samples))


def test_clips_without_surroundings():
    clip = VideoClip("a", torch.zeros(40, 3, 256, 256), torch.zeros(40, 478, 3), Waveform(torch.zeros(25600)))
    with pytest.raises(NotMeasuredError, match="resources of the face"):
        LipSync(Listener()).measure(clip)
