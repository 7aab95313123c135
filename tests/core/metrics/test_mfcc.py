import numpy as np
import torch
from sadtalker_pack.sadtalker_core.metrics.mfcc import mfcc

KNOWN = """
21.84327 -37.939508 -10.701297 -15.638207 -5.231076 -3.265686 1.074652 -2.249643 -3.26592 5.196037 -1.190203 -4.119699
-5.335011
-36.043653 0 0 0 0 0 0 0 0 0 0 0 0
20.601541 -39.34657 -6.866455 -4.958445 -3.14298 -4.826193 5.827078 -2.660536 -11.629764 -13.744932 9.777072 10.726854
5.745971
"""
"""Columns 0, 3 and 4 as python_speech_features 0.6 gives them."""


def noise_with_a_gap(count):
    samples = (np.random.RandomState(2).standard_normal(count) * 3000).astype(np.int16)
    samples[300:900] = 0
    return torch.from_numpy(samples).float() / 32768


def test_against_python_speech_features():
    found = mfcc(noise_with_a_gap(1000))
    assert found.shape == (13, 5)
    known = torch.tensor([float(number) for number in KNOWN.split()], dtype=torch.float64).reshape(3, 13)
    assert torch.allclose(found[:, [0, 3, 4]].T, known, atol=2e-6)


def test_columns():
    """The first begins with the first sample, and one begins every 10 ms until the last sample is covered."""
    counts = {1: 1, 400: 1, 401: 2, 560: 2, 561: 3, 640 * 25: 99}
    assert {count: mfcc(noise_with_a_gap(count)).shape[1] for count in counts} == counts
    samples = noise_with_a_gap(4000)
    later, earlier = mfcc(samples[7 * 160 :]), mfcc(samples)[:, 7:]
    assert torch.allclose(later[:, 1:], earlier[:, 1:])  # before its first sample each one hears silence


def test_what_16_bits_cannot_hold_is_cut_off():
    loud = 3 * noise_with_a_gap(2000) / noise_with_a_gap(2000).abs().max()
    assert torch.equal(mfcc(loud), mfcc(loud.clamp(-1, 32767 / 32768)))
    assert torch.equal(mfcc(torch.full((800,), 1e-6)), mfcc(torch.zeros(800)))
