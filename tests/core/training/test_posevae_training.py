import pytest
import torch
from sadtalker_pack.sadtalker_core.expnet.model import ExpNet
from sadtalker_pack.sadtalker_core.packs.open.load import POSE_SAMPLING
from sadtalker_pack.sadtalker_core.posevae.model import PoseEncoder, PoseVAE, PoseVAEConfig
from sadtalker_pack.sadtalker_core.training import posevae
from sadtalker_pack.sadtalker_core.training.checkpoint import save_checkpoint
from sadtalker_pack.sadtalker_core.training.posevae import (
    PoseBatch,
    PoseVAETraining,
    Voices,
    _drawn_track,
    match_spread,
    motion_spread,
    motion_windows,
    spread_latents,
    style_units,
    train_posevae,
)
from sadtalker_pack.sadtalker_core.training.speech_data import FittedClip

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
    spread = motion_spread(clips, ["calm", "lively"], liveliness=1.0)
    assert spread[:, 0].tolist() == pytest.approx([0.02**2 / 2, 0.1**2 / 2], rel=0.02)
    assert spread[:, 1:].abs().max() == 0


def test_silent_clips_are_made_livelier_and_talkers_left_as_they_are():
    clips = [clip("silent", nod(200, 0.05)), clip("talker", nod(200, 0.05), "grid_s1")]
    spread = motion_spread(clips, ["grid_s1", "silent"], liveliness=1.5)
    assert float((spread[1, 0] / spread[0, 0]).sqrt()) == pytest.approx(1.5, rel=0.01)
    windows, styles = motion_windows(clips, min_windows=10, liveliness=1.5)
    assert styles == ["grid_s1", "silent"]
    units = style_units(windows)
    assert float(units[1, 0] / units[0, 0]) == pytest.approx(1.5, rel=0.1)


def test_draws_have_the_covariance_of_the_codes():
    """The decoder of a draw answers as the one before did to codes of that style's mean and their covariance."""
    torch.manual_seed(0)
    network, encoder = PoseVAE(PoseVAEConfig(styles=2)).eval(), PoseEncoder(2).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        encoder.linear_means.weight *= 20
    motion = 0.1 * torch.randn(20, 64, 32, 6, generator=random)
    style = torch.arange(64) % 2
    batches = [PoseBatch(m, torch.ones(64, 1, 6), torch.zeros(64, 6), style, torch.zeros(64, 32, 512)) for m in motion]
    decoder = network.decoder
    columns = slice(6, 6 + 64)
    before, bias = decoder.MLP[0].weight[:, columns].detach().clone(), decoder.classbias.detach().clone()
    with torch.no_grad():
        codes = torch.cat([encoder(b.motion, b.style, b.rest, b.audio)[0] for b in batches])
        spread_latents(network, encoder, batches, random)
    styles = style.repeat(20)
    after = decoder.MLP[0].weight[:, columns].detach()
    for number in range(2):
        expected = before @ (codes[styles == number].mean(0) + bias[number])
        assert torch.allclose(after @ decoder.classbias[number].detach(), expected, atol=0.1 * float(expected.std()))
    # With the codes' own noise, here of a variance near 1, on top of their spread.
    centred = torch.cat([codes[styles == n] - codes[styles == n].mean(0) for n in range(2)])
    wanted = before @ (centred.T.cov() + torch.eye(64)) @ before.T
    assert torch.linalg.matrix_norm(after @ after.T - wanted) < 0.3 * torch.linalg.matrix_norm(wanted)


def test_windows_are_bent_into_the_limits_and_jumps_left_out():
    wide, jump = nod(200, 0.5, period=190), nod(200, 0.02)
    jump[100:, 1] += 0.3
    windows, styles = motion_windows([clip("jump", jump), clip("wide", wide)], min_windows=24, liveliness=1.0)
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
    match_spread(network, real.expand(3, 6), voices, random)
    drawn = torch.stack([track.var(0) for track in draw()]).reshape(3, 24, 6).mean(1)
    assert (0.5 * (drawn / real).log().mean(0)).exp().tolist() == pytest.approx([1.0] * 6, abs=0.2)


def test_an_interrupted_run_goes_on_exactly(tmp_path, monkeypatch):
    def stop(path, step, *state):
        save_checkpoint(path, step, *state)
        if step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(posevae, "CHECKPOINT_STEPS", 2)
    training = PoseVAETraining(steps=6, batch_size=4, spread_batches=20)
    windows, styles = motion_windows([clip("talker", nod(100, 0.05), "grid_s1")], min_windows=1, liveliness=1.0)
    spread, expnet = torch.full((1, 6), 1e-3), ExpNet()
    whole, _ = train_posevae(windows, spread, len(styles), expnet, training, tmp_path / "whole.safetensors")
    with monkeypatch.context() as interrupted:
        interrupted.setattr(posevae, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train_posevae(windows, spread, len(styles), expnet, training, tmp_path / "parted.safetensors")
    resumed, _ = train_posevae(windows, spread, len(styles), expnet, training, tmp_path / "parted.safetensors")
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))
