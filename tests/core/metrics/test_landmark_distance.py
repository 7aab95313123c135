"""LMD of faces that differ in a known way."""

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.points68 import INDICES, INNER_MOUTH, OUTER_MOUTH
from sadtalker_pack.sadtalker_core.face.regions import OUTER_EYE_CORNERS
from sadtalker_pack.sadtalker_core.face.topology import load_face_mesh
from sadtalker_pack.sadtalker_core.geometry import rotation_from_angles
from sadtalker_pack.sadtalker_core.metrics.landmark_distance import LandmarkDistance, landmark_distances
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip

MOUTH = list(OUTER_MOUTH + INNER_MOUTH)


@pytest.fixture(scope="module")
def face():
    """(1, 478, 3) the canonical face, in pixels, y down."""
    mesh = load_face_mesh().canonical
    iris = mesh[[33, 33, 33, 33, 33, 263, 263, 263, 263, 263]]
    return (torch.cat((mesh, iris)) * torch.tensor((10.0, -10.0, -10.0)) + 128)[None]


@pytest.fixture(scope="module")
def unit(face):
    left, right = OUTER_EYE_CORNERS
    return float((face[0, left] - face[0, right]).norm())


def clip_of(points, ground_truth=None):
    frames = torch.zeros(len(points), 3, 256, 256, dtype=torch.uint8)
    return VideoClip("clip", frames, points, ground_truth=ground_truth)


def test_a_moved_turned_and_larger_head_is_the_same_face(face):
    turn = rotation_from_angles(torch.tensor([[0.1, -0.3, 0.2]]))
    moved = 1.3 * face @ turn.transpose(1, 2) + torch.tensor((20.0, -5.0, 3.0))
    assert float(landmark_distances(moved, face).max()) < 1e-2


def test_a_mouth_pulled_aside_by_a_known_distance(face, unit):
    pulled = face.clone()
    pulled[:, MOUTH, 0] += 0.1 * unit
    found = LandmarkDistance().measure(clip_of(pulled, clip_of(face)))
    assert found["mouth_lmd"] == pytest.approx(10, abs=0.01)
    assert found["lmd"] == pytest.approx(10 * 20 / 68, abs=0.01)
    assert len(set(MOUTH)) == 20 < len(INDICES) == 68


def test_depth_does_not_count(face, unit):
    deeper = face.clone()
    deeper[:, MOUTH, 2] += 0.1 * unit
    assert LandmarkDistance().measure(clip_of(deeper, clip_of(face)))["mouth_lmd"] == pytest.approx(0, abs=0.01)


def test_only_frames_that_show_both_faces_count(face, unit):
    real, made = face.repeat(4, 1, 1), face.repeat(5, 1, 1)
    made[1:, MOUTH, 1] += 0.2 * unit
    made[1], real[2] = torch.nan, torch.nan
    found = LandmarkDistance().measure(clip_of(made, clip_of(real)))
    assert found["mouth_lmd"] == pytest.approx((0 + 20) / 2, abs=0.01)  # frames 0 and 3


def test_what_a_clip_may_lack(face):
    with pytest.raises(NotMeasuredError, match="a ground truth video"):
        LandmarkDistance().measure(clip_of(face))
    hidden = clip_of(torch.full_like(face, torch.nan))
    with pytest.raises(NotMeasuredError, match="both videos show a face"):
        LandmarkDistance().measure(replace(hidden, ground_truth=clip_of(face)))
