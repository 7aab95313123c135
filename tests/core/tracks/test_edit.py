import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, TrackError
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.time_series import at_times
from sadtalker_pack.sadtalker_core.tracks.edit import (
    EXTENSIONS,
    TrackEdit,
    change_speed,
    edit_track,
    extend,
    offset_angles,
    resample,
    smooth,
)

PORTRAIT = Coefficients("open3", 25.0, torch.full((1, 64), 2.0), torch.full((1, 6), 0.1))


def track(frames=10, fps=25.0, basis="open3", crop=False):
    return Coefficients(
        basis, fps, torch.randn(frames, 64), torch.randn(frames, 6), torch.rand(frames, 3) if crop else None
    )


def ramp(frames, fps=25.0):
    """A track whose every number is its time in seconds."""
    times = torch.arange(frames)[:, None] / fps
    return Coefficients("bfm09", fps, times.expand(-1, 64), times.expand(-1, 6), times.expand(-1, 3))


def streams(value):
    return value.expression, value.pose, value.crop


def test_defaults_change_nothing():
    given = track(crop=True)
    edited = edit_track(given, TrackEdit())
    assert all(torch.equal(a, b) for a, b in zip(streams(edited), streams(given), strict=True))
    assert edited.fps == given.fps


class TestScale:
    def test_expression_and_head_apart(self):
        given = track()
        still = edit_track(given, TrackEdit(pose_scale=0.0), PORTRAIT)
        assert torch.equal(still.expression, given.expression)
        assert torch.equal(still.pose, PORTRAIT.pose.expand(10, -1))
        calm = edit_track(given, TrackEdit(expression_scale=0.0), PORTRAIT)
        assert torch.equal(calm.pose, given.pose)
        assert torch.equal(calm.expression, PORTRAIT.expression.expand(10, -1))

    def test_without_a_portrait_the_first_frame_stays(self):
        given = track()
        doubled = edit_track(given, TrackEdit(pose_scale=2.0, expression_scale=2.0))
        assert torch.allclose(doubled.pose, 2 * given.pose - given.pose[:1], atol=1e-6)
        assert torch.equal(doubled.expression[0], given.expression[0])

    def test_a_missing_stream_is_named(self):
        with pytest.raises(SadTalkerError, match="no pose stream"):
            edit_track(Coefficients("open3", 25, torch.zeros(3, 64)), TrackEdit(pose_scale=0.5))


def test_offset_is_in_degrees_and_in_the_angles_alone():
    given = track()
    turned = offset_angles(given, 1.0, -20.0, 90.0)
    expected = torch.tensor([math.radians(1), math.radians(-20), math.pi / 2, 0, 0, 0])
    assert torch.allclose(turned.pose - given.pose, expected.expand(10, -1), atol=1e-6)
    assert turned.expression is given.expression


class TestSmooth:
    def test_removes_trembling_and_keeps_slow_motion(self):
        times = torch.arange(200) / 25
        slow, trembling = torch.sin(2 * math.pi * 0.25 * times), 0.2 * torch.sin(2 * math.pi * 10 * times)
        smoothed = smooth((slow + trembling)[:, None], 0.4 * 25)[:, 0]
        assert (smoothed - slow)[10:-10].abs().max() < 0.02

    def test_keeps_what_stands_still_and_the_length(self):
        stream = torch.full((7, 3), 4.0)
        assert torch.allclose(smooth(stream, 30), stream)

    def test_less_than_two_frames_is_nothing(self):
        stream = torch.randn(9, 2)
        assert torch.equal(smooth(stream, 1.9), stream)


class TestTime:
    @pytest.mark.parametrize("fps", [10.0, 24.0, 25.0, 29.97, 30.0, 60.0])
    def test_resampled_motion_is_at_the_same_place_at_the_same_time(self, fps):
        result = resample(ramp(100), fps)
        assert result.fps == fps
        assert len(result) == int(100 * fps / 25 + 1e-6)
        inside = torch.arange(len(result)) / fps <= 99 / 25
        for stream in streams(result):
            assert torch.allclose(stream[inside, 0], (torch.arange(len(result)) / fps)[inside], atol=1e-5)

    @pytest.mark.parametrize(("frames", "there"), [(25, 30.0), (7, 24.0), (100, 60.0), (1, 120.0)])
    def test_there_and_back(self, frames, there):
        assert len(resample(resample(track(frames), there), 25.0)) in (frames, frames - 1)

    @pytest.mark.parametrize("speed", [0.1, 0.5, 1.0, 2.0, 10.0])
    def test_speed(self, speed):
        result = change_speed(ramp(100), speed)
        assert len(result) == round(100 / speed)
        assert result.fps == 25
        assert torch.allclose(result.pose[:, 0], (torch.arange(len(result)) * speed / 25).clamp(max=99 / 25), atol=1e-4)

    def test_one_frame_is_enough(self):
        assert len(resample(track(1), 60.0)) == 2
        assert len(change_speed(track(1), 10.0)) == 1

    @pytest.mark.parametrize("speed", [0.0, -1.0, 11.0, math.nan])
    def test_impossible_speed(self, speed):
        with pytest.raises(TrackError, match="speed from 0.1 to 10"):
            change_speed(track(), speed)

    @pytest.mark.parametrize("fps", [-1.0, 241.0])
    def test_impossible_rate(self, fps):
        with pytest.raises(SadTalkerError):
            resample(track(), fps)

    def test_places_between_frames(self):
        stream = torch.tensor([[0.0], [10.0], [30.0]])
        assert at_times(stream, torch.tensor([0.0, 0.5, 1.25, 2.0, 9.0]))[:, 0].tolist() == [0, 5, 15, 30, 30]


class TestExtend:
    @pytest.mark.parametrize(
        ("extension", "expected"),
        [
            ("hold", [0, 1, 2, 2, 2, 2, 2, 2]),
            ("loop", [0, 1, 2, 0, 1, 2, 0, 1]),
            ("ping-pong", [0, 1, 2, 1, 0, 1, 2, 1]),
        ],
    )
    def test_order_of_frames(self, extension, expected):
        given = track(3, crop=True)
        longer = extend(given, 8, extension)
        for stream, own in zip(streams(longer), streams(given), strict=True):
            assert torch.equal(stream, own[expected])

    @pytest.mark.parametrize("extension", EXTENSIONS)
    def test_cut_and_single_frames(self, extension):
        given = track(5)
        assert torch.equal(extend(given, 2, extension).pose, given.pose[:2])
        assert torch.equal(extend(track(1), 4, extension).pose.std(0, correction=0), torch.zeros(6))

    @pytest.mark.parametrize("frames", [0, -3, 10**9])
    def test_impossible_length(self, frames):
        with pytest.raises(TrackError, match="frames"):
            extend(track(), frames, "hold")

    def test_unknown_extension(self):
        with pytest.raises(TrackError, match="hold, loop, ping-pong; got 'bounce'"):
            extend(track(), 20, "bounce")


class TestBadTracks:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_is_no_number_is_named_with_its_frame(self, value):
        given = track()
        given.pose[4, 2] = value
        with pytest.raises(TrackError, match="pose stream .* 1 of 10 frames, first in frame 4"):
            edit_track(given, TrackEdit())

    def test_no_frames(self):
        with pytest.raises(TrackError, match="no frames"):
            edit_track(track(0), TrackEdit())


def test_changes_come_together():
    result = edit_track(track(20), TrackEdit(speed=2.0, fps=50.0, frames=33, extension="loop", yaw=5.0))
    assert (len(result), result.fps) == (33, 50.0)
