import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, SadTalkerError
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.sadtalker_core.tracks.scale import combine, hold_pose, scale_expression, scale_pose
from sadtalker_pack.tests.support.faces import source_face

OWN_EXPRESSION, OWN_POSE = torch.full((64,), 2.0), torch.full((6,), 0.1)


def expression(frames=5, fps=25, basis="open3"):
    return Coefficients(basis, fps, expression=torch.randn(frames, 64))


def pose(frames=5, fps=25, basis="open3"):
    return Coefficients(basis, fps, pose=torch.randn(frames, 6))


def test_scale_measures_from_the_portrait():
    track = expression()
    assert torch.equal(scale_expression(track, 1, OWN_EXPRESSION).expression, track.expression)
    assert torch.equal(scale_expression(track, 0, OWN_EXPRESSION).expression, torch.full((5, 64), 2.0))
    doubled = scale_pose(pose(), 2, OWN_POSE).pose
    assert doubled.shape == (5, 6)


def test_combine_takes_each_stream_from_its_source():
    lips, head = expression(), pose()
    both = combine(lips, head)
    assert both.expression is lips.expression
    assert both.pose is head.pose


def test_combine_refuses_what_does_not_belong_together():
    with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
        combine(expression(), pose(basis="bfm09"))
    with pytest.raises(SadTalkerError, match="same length"):
        combine(expression(4), pose(5))
    with pytest.raises(SadTalkerError, match="frame rate"):
        combine(expression(fps=30), pose())
    with pytest.raises(SadTalkerError, match="no expression stream"):
        combine(pose(), pose())


def test_hold_pose_repeats_the_portraits_own():
    picture, own = torch.zeros(3, 8, 8), Coefficients("open3", 25, OWN_EXPRESSION[None], OWN_POSE[None])
    face = source_face(picture, picture, Crop(0, 0, 8, 8, 8, 8), torch.zeros(478, 3), torch.zeros(80), own)
    held = hold_pose(face, 7, 30)
    assert held.basis == "open3"
    assert held.pose.shape == (7, 6)
    assert held.fps == 30
    assert (held.pose == 0.1).all()
