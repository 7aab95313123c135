"""Angles from what a user types, and the curves through them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.flow import HeadTurn
from sadtalker_pack.sadtalker_core.render.head_turn import angle_curve, head_turn, parse_angles

ANGLES = st.lists(st.integers(-90, 90), min_size=1, max_size=6)


def test_the_example_of_the_reference():
    recorded = [-20, -13, -6, 1, 8, 15, 22, 29, 30, 23, 16]
    assert angle_curve([-20, 30, 10], 11).tolist() == recorded


@given(ANGLES, st.integers(1, 300))
def test_a_curve_has_the_length_and_stays_between_its_angles(angles, frames):
    curve = angle_curve(angles, frames)
    assert curve.shape == (frames,)
    assert curve[0] == angles[0]
    assert min(angles) - 1e-3 <= curve.min()
    assert curve.max() <= max(angles) + 1e-3


@given(ANGLES, st.integers(2, 300))
def test_a_curve_never_moves_faster_than_its_even_speed(angles, frames):
    curve = angle_curve(angles, frames).double()
    length = sum(abs(end - start) for start, end in zip(angles, angles[1:], strict=False))
    assert (curve[1:] - curve[:-1]).abs().max() <= length / (frames - 1) + 1e-4


def test_equal_neighbours_and_single_frames_are_no_error():
    assert angle_curve([5, 5, 15], 3).tolist() == [5, 10, 10]
    assert angle_curve([7, 7], 4).tolist() == [7, 7, 7, 7]
    assert angle_curve([-3, 40], 1).tolist() == [-3]


@pytest.mark.parametrize("text", ["-20 30 10", "-20,30, 10", "  -20.0\t30 10 "])
def test_numbers_may_be_separated_in_several_ways(text):
    assert parse_angles("yaw", text) == [-20, 30, 10]


@pytest.mark.parametrize("text", ["left", "10 x", "nan", "120", "1e9", ","])
def test_other_texts_are_named(text):
    with pytest.raises(SadTalkerError, match=rf"pitch must be .* degrees.*got '{text}'"):
        head_turn(10, pitch=text)


def test_empty_texts_turn_nothing():
    assert head_turn(10, " ", "", "") is None
    turn = head_turn(4, roll="9")
    assert turn.yaw is turn.pitch is None
    assert torch.equal(turn.roll, torch.full((4,), 9.0))


def test_curves_of_different_lengths_are_named():
    with pytest.raises(SadTalkerError, match="one length"):
        HeadTurn(yaw=torch.zeros(3), roll=torch.zeros(4))
