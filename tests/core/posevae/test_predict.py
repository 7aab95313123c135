import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.flow import MelWindows
from sadtalker_pack.sadtalker_core.packs.open.load import POSE_SAMPLING, load_posevae
from sadtalker_pack.sadtalker_core.posevae.model import PoseVAE, PoseVAEConfig
from sadtalker_pack.sadtalker_core.posevae.predict import (
    PoseSampling,
    block_starts,
    decode_motion,
    draw_pose,
    hear_speech,
    predict_pose,
    within,
)
from sadtalker_pack.sadtalker_core.posevae.smoothing import smooth_pose

STYLES = 4
REFERENCE = torch.tensor([0.1, -0.2, 0.05, 0.3, 0.0, 1.0])


class Sway:
    """Stands in for PoseVAE: each block is a slow sway of its own phase and offset."""

    config = PoseVAEConfig(styles=STYLES)

    def embed(self, mel):
        return mel[:, 0, 0, :1].expand(-1, 512)

    def decode(self, latent, style, own, audio):
        time = torch.arange(32)[None, :, None] / 25
        phase, offset = latent[:, None, :6], latent[:, None, 6:12]
        return 0.1 * torch.sin(2 * math.pi * 0.5 * time + 3 * phase) + 0.05 * offset


@pytest.fixture(scope="module")
def posevae():
    torch.manual_seed(0)
    return PoseVAE(PoseVAEConfig(styles=STYLES)).eval()


def speech(frames: int, fps: float = 25) -> MelWindows:
    return MelWindows(torch.linspace(-4, 4, frames)[:, None, None, None].expand(-1, 1, 80, 16), fps)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pose_of(network, frames, *, fps=25, seed=0, **options):
    return predict_pose(network, speech(frames, fps), REFERENCE, 0, generator(seed), **options)


@given(count=st.integers(0, 500))
def test_blocks_cover_the_audio_and_end_with_it(count):
    starts = block_starts(count)
    assert len(starts) == math.ceil(count / 32)
    assert all(start == 32 * number for number, start in enumerate(starts[:-1]))
    if starts:
        assert starts[-1] + 32 == count


@pytest.mark.parametrize("frames", [1, 2, 12, 13, 32, 33, 34, 65, 100])
def test_every_length_has_its_frames(posevae, frames):
    pose = pose_of(posevae, frames, sampling=PoseSampling(blend=8))
    assert pose.shape == (frames, 6)
    assert pose.isfinite().all()


def test_a_single_frame_is_the_reference(posevae):
    assert torch.equal(pose_of(posevae, 1), REFERENCE[None])


def test_the_pose_is_reference_plus_motion_smoothed_and_drawn_block_by_block(posevae):
    random = generator(5)
    latents = torch.cat([torch.randn(1, 64, generator=random) for _ in range(3)])
    audio = posevae.embed(speech(90).windows[1:])
    with torch.no_grad():
        motion = decode_motion(posevae, audio, REFERENCE, 0, latents)
    assert not motion[0].any()
    assert torch.allclose(pose_of(posevae, 90, seed=5), smooth_pose(REFERENCE + motion), atol=1e-6)


def test_generator_and_style_decide_the_motion(posevae):
    assert torch.equal(pose_of(posevae, 50, seed=1), pose_of(posevae, 50, seed=1))
    assert not torch.equal(pose_of(posevae, 50, seed=1), pose_of(posevae, 50, seed=2))
    other = predict_pose(posevae, speech(50), REFERENCE, 1, generator(1))
    assert not torch.equal(pose_of(posevae, 50, seed=1), other)


def test_progress_counts_frames(posevae):
    steps = []
    pose_of(posevae, 100, on_progress=lambda *step: steps.append(step))
    assert steps == [(65, 100), (100, 100)]


@pytest.mark.parametrize("style", [-1, STYLES, 46])
def test_unknown_styles_are_refused(posevae, style):
    with pytest.raises(SadTalkerError, match=f"pose style must lie between 0 and {STYLES - 1}, got {style}"):
        predict_pose(posevae, speech(3), REFERENCE, style, generator())


def test_other_bad_arguments_are_refused(posevae):
    with pytest.raises(SadTalkerError, match="blend"):
        pose_of(posevae, 3, sampling=PoseSampling(blend=33))
    with pytest.raises(ShapeError):
        predict_pose(posevae, speech(3), torch.zeros(1, 6), 0, generator())


@settings(max_examples=40)
@given(frames=st.integers(1, 150), fps=st.floats(1, 240))
def test_any_frame_rate_follows_the_same_motion(frames, fps):
    pose = pose_of(Sway(), frames, fps=fps, sampling=PoseSampling(blend=16))
    at_25 = pose_of(Sway(), math.ceil((frames - 1) * 25 / fps) + 1, sampling=PoseSampling(blend=16))
    assert pose.shape == (frames, 6)
    assert torch.allclose(pose[0], at_25[0])
    assert float(pose.max()) <= float(at_25.max()) + 1e-6
    assert float(pose.min()) >= float(at_25.min()) - 1e-6


def largest_step(pose: torch.Tensor) -> float:
    return float(pose.diff(dim=0).norm(dim=1).max())


def natural_step(pose: torch.Tensor) -> float:
    """Largest step from frame to frame where the smoothing sees one block alone."""
    steps = pose.diff(dim=0).norm(dim=1)
    place = torch.arange(len(steps)) % 32
    return float(steps[(place > 7) & (place < 24)].max())


def test_the_references_blocks_jump_and_blended_ones_do_not():
    frames = 32 * 30 + 1
    plain = pose_of(Sway(), frames)
    natural = natural_step(plain)
    assert largest_step(plain) > 2 * natural
    # Where the next block lies behind, a head that keeps its speed for a while has to hurry a little.
    assert largest_step(pose_of(Sway(), frames, sampling=PoseSampling(blend=24))) < 1.25 * natural


@pytest.mark.parametrize("blend", [4, 8, 16, 24, 32])
def test_a_block_begins_where_the_last_was_heading(blend):
    audio, latents = torch.zeros(96, 512), torch.randn(3, 64, generator=generator())
    motion = decode_motion(Sway(), audio, REFERENCE, 0, latents, blend=blend)
    for seam in (33, 65):
        assert torch.allclose(motion[seam] - motion[seam - 1], motion[seam - 1] - motion[seam - 2], atol=1e-6)
    plain = decode_motion(Sway(), audio, REFERENCE, 0, latents)
    assert torch.allclose(motion[33 + blend : 65], plain[33 + blend : 65], atol=1e-6)


def test_a_blended_track_leaves_the_portraits_pose_gently():
    assert torch.allclose(pose_of(Sway(), 200, sampling=PoseSampling(blend=24))[0], REFERENCE, atol=0.01)


def test_ten_minutes_stay_continuous_and_near_the_portrait(posevae, monkeypatch):
    monkeypatch.setattr(posevae, "embed", lambda mel: mel.flatten(1)[:, :512])  # the encoder would take a minute
    pose = pose_of(posevae, 10 * 60 * 25, sampling=PoseSampling(blend=24))
    motion = (pose - REFERENCE).abs()
    assert pose.isfinite().all()
    assert float(motion[-1500:].max()) < 2 * float(motion[:1500].max())  # no drift
    assert largest_step(pose) < 1.1 * natural_step(pose)


def test_the_shipped_heads_move_no_faster_and_turn_no_sharper_between_blocks(demo_speech):
    shipped = load_posevae(OPEN_ASSETS / "posevae.safetensors").eval()
    heard = hear_speech(shipped, mel_windows(demo_speech))
    steps, turns = [], []
    for style in range(shipped.config.styles):
        pose = draw_pose(shipped, heard, REFERENCE, style, generator(style), sampling=POSE_SAMPLING)
        step = pose[:, :3].diff(dim=0)
        place = torch.arange(len(step) - 1) % 32  # 0 is about frame 33, where a block begins
        place[0] = 1  # the portrait itself
        speed, turn = step.norm(dim=1)[1:], step.diff(dim=0).norm(dim=1)
        steps.append(speed[place < 12].max() / speed[place >= 12].max())
        turns.append((turn[place == 0].square().mean() / turn[place > 0].square().mean()).sqrt())
    assert torch.stack(steps).mean() < 1.1
    assert torch.stack(turns).mean() < 0.8


class TestWithin:
    LIMIT = torch.tensor([0.3, 0.4, 0.3, 0.35, 0.35, 0.7])

    @given(strength=st.floats(0, 100))
    def test_no_motion_passes_the_limit(self, strength):
        motion = strength * torch.randn(50, 6, generator=generator())
        limited = within(motion, self.LIMIT)
        assert (limited.abs() <= self.LIMIT).all()
        assert torch.equal(limited.sign(), motion.sign())

    def test_small_motion_stays_as_it_is(self):
        motion = 0.7 * self.LIMIT * torch.linspace(-1, 1, 21)[:, None]
        assert torch.equal(within(motion, self.LIMIT), motion)

    def test_order_is_kept_and_nothing_jumps(self):
        motion = self.LIMIT * torch.linspace(-2, 2, 401)[:, None]
        steps = within(motion, self.LIMIT).diff(dim=0)
        assert (steps > 0).all()
        assert (steps <= motion.diff(dim=0) + 1e-6).all()

    def test_a_track_stays_inside(self):
        sampling = PoseSampling(blend=24, limit=tuple((0.2 * self.LIMIT).tolist()), smoothing=1)
        pose = pose_of(Sway(), 300, sampling=sampling)
        assert ((pose - REFERENCE).abs() <= 0.2 * self.LIMIT + 1e-6).all()
