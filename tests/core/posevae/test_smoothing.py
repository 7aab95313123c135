import pytest
import torch
from sadtalker_pack.sadtalker_core.posevae.smoothing import smooth_pose


@pytest.mark.parametrize("frames", range(1, 31))
def test_every_length_keeps_a_parabola(frames):
    time = torch.linspace(-1, 1, frames)[:, None]
    pose = (0.3 + time - 2 * time**2).repeat(1, 6)
    smoothed = smooth_pose(pose)
    assert smoothed.dtype == torch.float32
    assert torch.allclose(smoothed, pose, atol=1e-5)


def test_noise_shrinks():
    noise = torch.randn(200, 6)
    assert float(smooth_pose(noise).std()) < 0.5 * float(noise.std())
