"""GrabCut from what a face tells of where a body is."""

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.face.person import BodyPrior, find_person, largest_part
from sadtalker_pack.sadtalker_core.face.regions import FACE_OVAL

PRIOR = BodyPrior(head=(1.5, 1.6), rise=0.12, shoulders=((0.35, -0.15), (1.3, 0.2), (1.7, 9.0)))
SIDE = 160


@pytest.fixture(scope="module")
def landmarks():
    """A face whose outline is an ellipse in the upper middle of the picture."""
    angle = torch.arange(len(FACE_OVAL)) / len(FACE_OVAL) * 2 * torch.pi
    points = torch.zeros(478, 3)
    points[:, :2] = torch.tensor((80.0, 60.0))
    points[list(FACE_OVAL), 0] = 80 + 22 * angle.sin()
    points[list(FACE_OVAL), 1] = 60 - 30 * angle.cos()
    return points


@pytest.fixture(scope="module")
def scene():
    """A red person, head and shoulders, before blue; (3, 160, 160) and who is where."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    head = ((x - 80) / 28) ** 2 + ((y - 58) / 38) ** 2 < 1
    person = head | ((y > 100) & ((x - 80).abs() < 20 + 0.7 * (y - 100).clamp_min(0)))
    picture = torch.where(
        person, torch.tensor((0.8, 0.3, 0.2))[:, None, None], torch.tensor((0.2, 0.3, 0.8))[:, None, None]
    )
    noise = 0.03 * torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return (picture + noise).clamp(0, 1), person


def test_the_person_is_found(scene, landmarks):
    picture, person = scene
    small, found = find_person(picture, landmarks, PRIOR, SIDE, 3)
    assert small.shape == (SIDE, SIDE, 3)
    wrong = (torch.from_numpy(found) != person).float().mean()
    assert wrong < 0.02


def test_a_large_picture_is_looked_at_reduced(scene, landmarks):
    picture, person = scene
    small, found = find_person(picture, landmarks, PRIOR, SIDE // 2, 3)
    assert small.shape == (SIDE // 2, SIDE // 2, 3)
    assert (torch.from_numpy(found) != person[::2, ::2]).float().mean() < 0.04


def test_the_same_picture_gives_the_same_person(scene, landmarks):
    first, second = (find_person(scene[0], landmarks, PRIOR, SIDE, 2)[1] for _ in range(2))
    assert np.array_equal(first, second)


def test_the_largest_part_has_no_holes_and_no_company():
    mask = np.zeros((40, 60), np.uint8)
    mask[5:30, 5:30] = 1
    mask[12:18, 12:18] = 0
    mask[10:14, 50:55] = 1
    found = largest_part(mask)
    assert found[5:30, 5:30].all()
    assert found.sum() == 25 * 25


def test_nobody_stays_nobody():
    assert largest_part(np.zeros((8, 8), np.uint8)).sum() == 0
