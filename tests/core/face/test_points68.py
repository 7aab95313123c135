"""The 68 points have the places that the iBUG annotation gives them, on the mean face and on its mirror image."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.face.points68 import INDICES, points68
from sadtalker_pack.sadtalker_core.geometry import similarity_between
from sadtalker_pack.sadtalker_core.packs.official.alignment import STANDARD_POINTS

MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
"""Number of the point that each of the 68 changes places with in a mirror."""


@pytest.fixture(scope="module")
def mean_face(pack):
    """(478, 3) with y up."""
    return pack.vertices.mean


def test_shapes(mean_face):
    assert points68(mean_face).shape == (68, 2)
    assert torch.equal(points68(mean_face.expand(5, -1, -1))[3], points68(mean_face))


def test_no_point_twice():
    assert len(set(INDICES)) == 68


def test_symmetric(mean_face):
    points = points68(mean_face)
    mirrored = points[list(MIRROR)] * torch.tensor((-1.0, 1.0))
    assert (points - mirrored).abs().max() < 0.02  # unit: distance between the outer eye corners


def test_run_from_left_to_right(mean_face):
    x = points68(mean_face)[:, 0]
    for group in (x[0:17], x[17:27], x[31:36], x[36:40], x[42:46], x[48:55], x[60:65]):
        assert (group.diff() > 0).all()
    for lower in (x[39:42], x[45:48], x[54:60], x[64:68]):
        assert (lower.diff() < 0).all()


def test_upper_lids_and_lips_lie_above_the_lower_ones(mean_face):
    y = points68(mean_face)[:, 1]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (50, 58), (61, 67), (62, 66), (63, 65)):
        assert y[upper] > y[lower]
    assert (y[27:31].diff() < 0).all()
    assert y[8] == y.min()


def test_the_regressor_s_points_lie_as_on_its_own_standard_face(mean_face):
    points = mean_face[list(INDICES)]
    ours = torch.stack((points[[36, 39]].mean(0), points[[42, 45]].mean(0), points[30], points[48], points[54]))[None]
    standard = torch.from_numpy(STANDARD_POINTS).float()[None]
    # The standard eyes are 0.62 apart; another point of the nose would be off by 0.03 at least.
    assert (similarity_between(ours, standard).apply(ours) - standard).norm(dim=2).max() < 0.015
