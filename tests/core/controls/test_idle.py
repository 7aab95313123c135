"""A portrait alive without speech."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.controls.idle import REST_SPREAD, IdleOptions, gaze_jumps, idle_track, looped
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.measures import eye_opening
from sadtalker_pack.sadtalker_core.face.morphable import own_vertices


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    with torch.no_grad():
        return extract_face(pack.landmarker, pack.extractor, demo_picture, size=256)


@pytest.fixture(scope="module")
def idle(pack, face):
    return idle_track(pack, face, IdleOptions(seconds=12, blink_rate=30))


def steps(stream):
    return stream.diff(dim=0).norm(dim=1)


def test_length_rate_and_basis(idle):
    assert (len(idle), idle.fps, idle.basis) == (300, 25.0, "open3")


def test_starts_in_the_portraits_own_pose(idle, face):
    torch.testing.assert_close(idle.pose[:1], face.coefficients.pose)


def test_the_head_moves_like_one_at_rest(idle):
    angles = idle.pose[:, :3].rad2deg()
    spread = float((angles - angles.mean(0)).square().sum(1).mean().sqrt())
    assert 0.5 < spread <= REST_SPREAD + 1e-3
    assert 0.5 < float(steps(angles).mean()) * 25 < 12  # degrees a second
    assert float(steps(angles).max()) * 25 < 40


def test_the_end_passes_into_the_start(idle):
    for stream in (idle.pose, idle.expression):
        seam = float((stream[0] - stream[-1]).norm())
        assert seam <= 1.5 * float(steps(stream).quantile(0.98))


def test_the_eyes_blink_and_the_mouth_stays(pack, face, idle):
    model = pack.extractor.model
    shape = own_vertices(face) + model.offsets(idle.expression - face.coefficients.expression)
    opening = eye_opening(shape)
    assert float(opening.min()) < 0.45 * float(opening.median())
    gap = (shape[:, 13] - shape[:, 14]).norm(dim=1)
    assert float((gap - gap.median()).abs().max()) < 0.03


def test_the_eyes_stay_on_the_viewer_while_the_head_turns(pack, face):
    model = pack.extractor.model
    options = IdleOptions(seconds=12, blink_rate=0)
    moved, fixed = (idle_track(pack, face, replace(options, gaze=gaze)) for gaze in (1.0, 0.0))
    iris = model.offsets(moved.expression - fixed.expression)[:, [468, 473], 0].mean(1)
    yaw = moved.pose[:, 1] - moved.pose[0, 1]
    assert float(torch.corrcoef(torch.stack((iris, yaw)))[0, 1]) < -0.3
    assert float(iris.abs().max()) < 0.06


def test_without_gaze_and_blinks_the_expression_is_the_portraits(pack, face):
    still = idle_track(pack, face, IdleOptions(seconds=2, blink_rate=0, gaze=0, pose_scale=0))
    torch.testing.assert_close(still.expression, face.coefficients.expression.expand(50, -1))
    torch.testing.assert_close(still.pose, face.coefficients.pose.expand(50, -1))


def test_a_seed_is_one_motion(pack, face):
    one, again, other = (idle_track(pack, face, IdleOptions(seconds=3, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(one.pose, again.pose)
    assert torch.equal(one.expression, again.expression)
    assert not torch.equal(one.pose, other.pose)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("seconds", [0.01, 0.04, 0.1, 1.0])
def test_short_ones(pack, face, seconds, loop):
    found = idle_track(pack, face, IdleOptions(seconds=seconds, loop=loop))
    assert len(found) == max(1, round(25 * seconds))
    assert bool(torch.isfinite(found.pose).all())


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3601.0, float("nan")])
def test_an_impossible_length_is_named(pack, face, seconds):
    with pytest.raises(SadTalkerError, match="Expected a duration above 0"):
        idle_track(pack, face, IdleOptions(seconds=seconds))


class TestLooped:
    def test_the_seam_is_no_jump(self):
        stream = torch.randn(130, 3).cumsum(0)
        found = looped(stream, 100)
        assert len(found) == 100
        largest = float(steps(stream).max()) + float((stream[100:] - stream[:30]).norm(dim=1).max()) * 3.2 / 60
        assert float((found[0] - found[-1]).norm()) <= largest
        assert torch.equal(found[30:], stream[30:100])

    def test_without_more_it_is_the_stream(self):
        stream = torch.randn(10, 2)
        assert torch.equal(looped(stream, 10), stream)

    def test_too_long_or_short(self):
        with pytest.raises(SadTalkerError, match="needs 10 to 20"):
            looped(torch.zeros(30, 2), 10)


def test_the_eyes_jump_and_return():
    gaze = gaze_jumps(2500, 25.0, torch.Generator().manual_seed(0))
    assert gaze[0].tolist() == [0, 0]
    assert gaze[-1].tolist() == [0, 0]
    jumps = int((gaze.diff(dim=0).norm(dim=1) > 0).sum())
    assert 50 < jumps < 150
    assert 0.2 < float((gaze.norm(dim=1) == 0).float().mean()) < 0.9
    assert float(gaze.norm(dim=1).max()) < 30
