import pytest
import torch
from sadtalker_pack.sadtalker_core.posevae.model import PoseVAE, PoseVAEConfig
from sadtalker_pack.sadtalker_core.training.posevae import (
    Voices,
    _drawn_track,
    match_spread,
    motion_spread,
    motion_windows,
)
from sadtalker_pack.sadtalker_core.training.speech_data import FittedClip
from sadtalker_pack.sadtalker_core.weights.open_pack import POSE_SAMPLING

LIMIT = torch.tensor(POSE_SAMPLING.limit)


def clip(name, pose, corpus="motion"):
    frames = len(pose)
    windows = torch.zeros(frames, 1, 80, 16) if corpus != "motion" else None
    still = torch.zeros(frames)
    return FittedClip(name, corpus, torch.zeros(frames, 64), pose, still, still, torch.ones(frames).bool(), windows)


def nod(frames, radians, period=50):
    pose = torch.zeros(frames, 6)
    pose[:, 0] = 0.4 + radians * torch.sin(2 * torch.pi * torch.arange(frames) / period)
    return pose


def test_spread_is_that_of_the_clips_about_their_own_means():
    clips = [clip("calm", nod(200, 0.02)), clip("lively", nod(200, 0.1)), clip("left out", nod(200, 0.2))]
    spread = motion_spread(clips, ["calm", "lively"])
    assert float(spread[0]) == pytest.approx((0.02**2 + 0.1**2) / 4, rel=0.02)
    assert spread[1:].abs().max() == 0


def test_windows_are_bent_into_the_limits_and_jumps_left_out():
    wide, jump = nod(200, 0.5, period=190), nod(200, 0.02)
    jump[100:, 1] += 0.3
    windows, styles = motion_windows([clip("jump", jump), clip("wide", wide)], min_windows=24)
    assert styles == ["jump", "wide"]
    motion = torch.stack([window.motion for window in windows])
    assert (motion.abs() <= LIMIT).all()
    assert motion[:, :, 0].abs().max() > 0.9 * LIMIT[0]
    # (200 - 32) / 2 + 1 starts, but for those whose window holds the jump, widened by the smoothing.
    assert 60 <= sum(window.style == 0 for window in windows) <= 70


def test_drawn_tracks_get_the_spread_that_is_asked_for():
    torch.manual_seed(0)
    network = PoseVAE(PoseVAEConfig(styles=3)).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(1)
    voices = Voices(torch.randn(20, 32, 512, generator=random), torch.zeros(20, 32))

    def draw():
        return [_drawn_track(network, style, voices, random) for style in range(3) for _ in range(24)]

    for _ in range(4):  # a network that nobody trained turns the head to one side, against the limits
        network.decoder.pose_linear.bias -= torch.cat(draw()).mean(0)
    real = torch.tensor((0.05, 0.06, 0.04, 0.02, 0.02, 0.1)) ** 2
    match_spread(network, real, voices, random)
    drawn = torch.stack([track.var(0) for track in draw()]).mean(0)
    assert (drawn / real).sqrt().tolist() == pytest.approx([1.0] * 6, abs=0.2)
