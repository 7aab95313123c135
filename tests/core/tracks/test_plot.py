import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import TrackError
from sadtalker_pack.sadtalker_core.flow import SAMPLE_RATE, Coefficients, Waveform
from sadtalker_pack.sadtalker_core.tracks.channels import Channels, channels
from sadtalker_pack.sadtalker_core.tracks.plot import _COLOURS, _SOUND, plot_channels, round_step


def pose_track(frames=50, fps=25.0, **angles):
    pose = torch.zeros(frames, 6)
    for column, name in enumerate(("pitch", "yaw", "roll")):
        pose[:, column] = torch.as_tensor(angles.get(name, 0.0))
    return channels(Coefficients("bfm09", fps, pose=pose))


FIRST_PANEL = slice(33, 160)
"""Rows of a plot of 512 below the names of its curves, whether there are two panels or three."""


def places(picture, colour, tolerance=0.02):
    """Rows and columns of the pixels that have a colour."""
    wanted = torch.tensor([int(colour[index : index + 2], 16) for index in (1, 3, 5)]) / 255
    return ((picture - wanted[:, None, None]).abs().amax(0) < tolerance).nonzero().T


@pytest.mark.parametrize("size", [(1024, 512), (512, 256), (1600, 900)])
@pytest.mark.parametrize("sound", [False, True])
def test_size_and_range(size, sound):
    waveform = Waveform(torch.randn(SAMPLE_RATE)) if sound else None
    picture = plot_channels(pose_track(yaw=torch.randn(50)), waveform, width=size[0], height=size[1])
    assert picture.shape == (3, size[1], size[0])
    assert 0 <= float(picture.min()) < float(picture.max()) <= 1


def test_a_curve_is_where_its_values_are():
    """Yaw rises from left to right: further right is further up; the lowest and highest lie inside the panel."""
    picture = plot_channels(pose_track(yaw=torch.linspace(-0.4, 0.4, 50)))
    rows, columns = places(picture[:, 33:240], _COLOURS["yaw"])
    left, right = rows[columns < 300].float().mean(), rows[columns > 800].float().mean()
    assert left - right > 40
    assert torch.corrcoef(torch.stack((rows.float(), columns.float())))[0, 1] < -0.95


def test_a_still_track_is_drawn_as_a_level_line():
    rows, _ = places(plot_channels(pose_track(yaw=0.2))[:, FIRST_PANEL], _COLOURS["yaw"])
    assert rows.numel() > 500
    assert rows.max() - rows.min() < 4


@pytest.mark.parametrize(
    ("spoken", "silent"), [(slice(0, 16_000), slice(700, 1000)), (slice(16_000, None), slice(70, 400))]
)
def test_sound_is_drawn_where_it_is_heard(spoken, silent):
    samples = torch.zeros(2 * SAMPLE_RATE)
    samples[spoken] = torch.randn(SAMPLE_RATE)
    picture = plot_channels(pose_track(), Waveform(samples))
    _, columns = places(picture, _SOUND, 0.1)
    tall = columns.bincount(minlength=1024) > 20
    assert tall.sum() > 300
    assert not tall[silent].any()


def test_time_covers_the_longer_of_both():
    """A curve of one second beside two seconds of sound ends in the middle."""
    picture = plot_channels(pose_track(25, yaw=0.1), Waveform(torch.randn(2 * SAMPLE_RATE)))
    _, columns = places(picture[:, FIRST_PANEL], _COLOURS["yaw"])
    assert 500 < columns.max() < 560


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames(frames):
    assert plot_channels(pose_track(frames)).isfinite().all()


def test_ten_minutes():
    assert plot_channels(pose_track(15_000, yaw=torch.randn(15_000))).shape == (3, 512, 1024)


def test_refused():
    with pytest.raises(TrackError, match="512x256 to 4096x4096 pixels, got 100x100"):
        plot_channels(pose_track(), width=100, height=100)
    with pytest.raises(TrackError, match="no frames"):
        plot_channels(Channels(25.0, {"yaw": torch.zeros(0)}))


@pytest.mark.parametrize(
    ("span", "most", "step"), [(1.0, 10, 0.1), (1.0, 4, 0.5), (11.66, 11, 2.0), (600.0, 11, 100.0)]
)
def test_round_steps(span, most, step):
    assert round_step(span, most) == pytest.approx(step)
