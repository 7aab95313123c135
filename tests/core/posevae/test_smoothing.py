import pytest
import torch
from sadtalker_pack.sadtalker_core.posevae.smoothing import add_reference_motion, repeat_track, smooth_pose


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


@pytest.mark.parametrize(("length", "frames"), [(1, 5), (3, 7), (7, 3), (4, 4)])
def test_tracks_repeat_from_their_start(length, frames):
    track = torch.randn(length, 6)
    assert torch.equal(repeat_track(track, frames), torch.stack([track[frame % length] for frame in range(frames)]))


def test_reference_motion_starts_at_nothing():
    pose, reference = torch.randn(5, 6), torch.randn(3, 6)
    moved = add_reference_motion(pose, reference)
    assert torch.equal(moved[0], pose[0])
    assert torch.allclose(moved[4], pose[4] + reference[1] - reference[0])
