"""PSNR and SSIM on pictures with a known distance, and against scikit-image."""

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics.reconstruction import Reconstruction, psnr, ssim
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip


@pytest.fixture
def pictures(demo_picture):
    """Three crops (3, 3, 64, 64) and copies that noise and blur have touched."""
    crops = torch.stack([demo_picture[:, top : top + 64, 200:264] for top in (150, 200, 260)])
    touched = (crops + 0.05 * torch.randn_like(crops)).clamp(0, 1)
    touched[2] = crops[2] + 0.1
    return crops, touched


def clip_of(frames, ground_truth=None):
    return VideoClip("clip", frames, torch.zeros(len(frames), 478, 3), ground_truth=ground_truth, same_view=True)


@pytest.mark.parametrize(("offset", "decibels"), [(0.1, 20), (0.01, 40), (1, 0)])
def test_psnr_of_a_known_error(offset, decibels):
    black = torch.zeros(2, 3, 16, 16)
    assert psnr(black + offset, black).tolist() == pytest.approx([decibels] * 2, abs=1e-3)


def test_equal_pictures(pictures):
    assert psnr(pictures[0], pictures[0]).tolist() == pytest.approx([100] * 3)
    assert ssim(pictures[0], pictures[0]).tolist() == pytest.approx([1] * 3)


def test_ssim_of_flat_pictures():
    """Only the first factor differs from 1: (2ab + C) / (a^2 + b^2 + C)."""
    dark, bright = torch.full((1, 3, 16, 16), 0.2), torch.full((1, 3, 16, 16), 0.6)
    assert float(ssim(dark, bright)) == pytest.approx((0.24 + 1e-4) / (0.4 + 1e-4), abs=1e-4)


def test_against_scikit_image(pictures):
    metrics = pytest.importorskip("skimage.metrics")
    for one, other, ours, decibels in zip(*pictures, ssim(*pictures), psnr(*pictures), strict=True):
        theirs = metrics.structural_similarity(
            one.numpy(), other.numpy(), channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert float(ours) == pytest.approx(theirs, abs=2e-4)
        known = metrics.peak_signal_noise_ratio(one.numpy(), other.numpy(), data_range=1.0)
        assert float(decibels) == pytest.approx(known, abs=1e-3)


def test_a_clip_against_its_reference_as_far_as_both_go():
    real = torch.full((40, 3, 256, 256), 100, dtype=torch.uint8)
    made = real[:35].clone()
    made[:, 0] += 51  # a fifth of the range in one of three channels
    found = Reconstruction().measure(clip_of(made, clip_of(real)))
    assert found["psnr"] == pytest.approx(18.751, abs=0.01)
    assert 0 < found["ssim"] < 1


def test_what_a_clip_may_lack():
    frames = torch.zeros(2, 3, 256, 256, dtype=torch.uint8)
    with pytest.raises(NotMeasuredError, match="a ground truth video"):
        Reconstruction().measure(clip_of(frames))
    elsewhere = replace(clip_of(frames, clip_of(frames)), same_view=False)
    with pytest.raises(NotMeasuredError, match="same part of the picture"):
        Reconstruction().measure(elsewhere)
    with pytest.raises(NotMeasuredError, match="frames"):
        Reconstruction().measure(clip_of(frames[:0], clip_of(frames)))
