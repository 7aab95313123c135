"""What a network changes, averaged over time."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.finish.sharpen.stabilise import REACH, stabilised

SIDE = 128


@pytest.fixture
def face():
    return torch.rand(3, SIDE // 8, SIDE // 8).repeat_interleave(8, 1).repeat_interleave(8, 2)


@pytest.mark.parametrize("count", [0, 1, REACH, REACH + 1, 2 * REACH + 1, 4 * REACH])
def test_each_frame_comes_back_in_its_place(face, count):
    """A change that grows evenly is its own average, away from the ends."""
    changes = [torch.full((3, SIDE, SIDE), float(index)) for index in range(count)]
    given = list(stabilised([(face, change) for change in changes], 1.0))
    assert len(given) == count
    for index in range(REACH, count - REACH):
        assert torch.allclose(given[index], changes[index], atol=1e-3)


def test_no_stability_changes_nothing(face):
    changes = [torch.randn(3, SIDE, SIDE) for _ in range(4)]
    assert all(map(torch.equal, stabilised([(face, change) for change in changes], 0.0), changes))


def test_more_stability_averages_more(face):
    changes = [torch.randn(3, SIDE, SIDE) for _ in range(9)]
    spreads = [float(list(stabilised([(face, c) for c in changes], s))[4].std()) for s in (0.0, 0.2, 0.5, 1.0)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.5 * spreads[0]


def test_what_looks_different_is_not_mixed(face):
    """Half of the face changes from one frame to the next, as a closing eye does."""
    other = face.clone()
    other[:, :, SIDE // 2 :] = torch.rand(3, SIDE, SIDE // 2)
    before, after = torch.zeros(3, SIDE, SIDE), torch.ones(3, SIDE, SIDE)
    given = list(stabilised([(face, before)] * 4 + [(other, after)] * 4, 1.0))
    assert given[3][:, :, SIDE // 2 + 12 :].max() < 0.05
    assert given[4][:, :, SIDE // 2 + 12 :].min() > 0.95
    assert 0.2 < given[3][:, :, : SIDE // 2 - 12].mean() < 0.6


def test_only_as_many_frames_as_needed_are_read(face):
    read = []

    def frames():
        for index in range(50):
            read.append(index)
            yield face, torch.zeros(3, SIDE, SIDE)

    for index, _ in enumerate(stabilised(frames(), 0.5)):
        assert len(read) <= index + REACH + 1
