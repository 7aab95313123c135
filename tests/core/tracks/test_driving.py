import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, TrackError
from sadtalker_pack.sadtalker_core.flow import BlinkCurve, Coefficients
from sadtalker_pack.sadtalker_core.tracks.driving import (
    DRIVING_PARTS,
    add_driving,
    hold_portrait,
    match_blink,
    match_track,
)


def track(frames, fps=25.0, basis="bfm09"):
    return Coefficients(basis, fps, torch.randn(frames, 64), torch.randn(frames, 6))


class TestAddDriving:
    @pytest.mark.parametrize("length", [1, 7, 20, 33])
    def test_head_motion_as_in_the_original(self, length):
        """Repeated, cut to the length, and relative to its first frame, as the original does with ref_pose."""
        given, driving = track(20), track(length)
        tiled = np.concatenate([driving.pose.numpy()] * (20 // length + 1))[:20]
        result = add_driving(given, driving)
        assert np.allclose(result.pose.numpy(), given.pose.numpy() + tiled - tiled[:1], atol=1e-6)
        assert result.expression is given.expression

    @pytest.mark.parametrize("part", DRIVING_PARTS)
    def test_a_driving_track_at_rest_adds_nothing(self, part):
        given = track(9)
        still = Coefficients("bfm09", 25.0, torch.ones(4, 64), torch.ones(4, 6))
        result = add_driving(given, still, part)
        assert torch.equal(result.expression, given.expression)
        assert torch.equal(result.pose, given.pose)

    def test_expression_and_everything(self):
        given, driving = track(5), track(5)
        face = add_driving(given, driving, "expression")
        assert torch.equal(face.pose, given.pose)
        both = add_driving(given, driving, "everything")
        assert torch.equal(both.expression, face.expression)
        assert not torch.equal(both.pose, given.pose)

    def test_another_frame_rate_is_followed_in_time(self):
        """One turn in two seconds is one turn in two seconds."""
        angle = torch.linspace(0, 1, 61)[:, None].expand(-1, 6)
        driving = Coefficients("bfm09", 30.0, pose=angle)
        result = add_driving(Coefficients("bfm09", 25.0, pose=torch.zeros(50, 6)), driving)
        assert torch.allclose(result.pose[:, 1], torch.arange(50) / 50, atol=1e-5)

    def test_portrait_alone(self):
        portrait, driving = track(1), track(12, fps=30.0)
        held = hold_portrait(portrait, driving)
        assert (len(held), held.fps) == (12, 30.0)
        result = add_driving(held, driving, "everything")
        assert torch.allclose(result.pose[0], portrait.pose[0])
        assert torch.allclose(result.expression - portrait.expression, driving.expression - driving.expression[:1],
                              atol=1e-5)  # fmt: skip

    def test_refused(self):
        with pytest.raises(BasisMismatchError, match="bfm09.*open3"):
            add_driving(track(5), track(5, basis="open3"))
        with pytest.raises(TrackError, match="no pose stream"):
            add_driving(track(5), Coefficients("bfm09", 25, torch.zeros(5, 64)))
        with pytest.raises(TrackError, match="no frames"):
            add_driving(track(5), track(0))
        broken = track(5)
        broken.pose[2] = torch.nan
        with pytest.raises(TrackError, match="first in frame 2"):
            add_driving(track(5), broken)
        with pytest.raises(TrackError, match="got 'gaze'"):
            add_driving(track(5), track(5), "gaze")


class TestMatch:
    @pytest.mark.parametrize(("length", "frames"), [(10, 4), (4, 10), (1, 5), (6, 6)])
    def test_started_again_or_cut(self, length, frames):
        driving = track(length)
        expected = torch.arange(frames) % length
        assert torch.equal(match_track(driving, frames, 25.0).expression, driving.expression[expected])
        blink = BlinkCurve(torch.rand(length), 25.0)
        assert torch.equal(match_blink(blink, frames, 25.0).closure, blink.closure[expected])

    def test_frame_rates(self):
        blink = BlinkCurve(torch.arange(60) / 60, 30.0)
        matched = match_blink(blink, 50, 25.0)
        assert (len(matched), matched.fps) == (50, 25.0)
        assert torch.allclose(matched.closure, torch.arange(50) / 50, atol=1e-5)
        assert match_track(track(60, fps=30.0), 50, 25.0).fps == 25.0

    @pytest.mark.parametrize("closure", [torch.zeros(0), torch.tensor([0.0, torch.nan])])
    def test_unusable_blinks(self, closure):
        with pytest.raises(TrackError, match="blinks"):
            match_blink(BlinkCurve(closure, 25.0), 5, 25.0)
