"""The person and what is behind."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.regions import FACE_OVAL
from sadtalker_pack.sadtalker_core.flow import HeadTurn
from sadtalker_pack.sadtalker_core.packs.open.layers import split_layers
from sadtalker_pack.sadtalker_core.packs.open.renderer import MeshRenderer


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture)


@pytest.fixture(scope="module")
def layers(face):
    return split_layers(face.cropped, face.landmarks)


def at(mask, point):
    return float(mask[0, int(point[1]), int(point[0])])


def test_together_they_are_the_portrait(face, layers):
    together = layers.person + (1 - layers.matte) * layers.background
    assert (together - face.cropped).abs().max() < 1e-6


def test_the_face_belongs_to_the_person_and_the_corners_do_not(face, layers):
    assert all(at(layers.matte, face.landmarks[vertex]) == 1 for vertex in FACE_OVAL)
    # In the demo portrait a flag to the left and the sky to the right.
    assert at(layers.matte, (10, 10)) == at(layers.matte, (face.crop.width - 10, 10)) == 0


def test_hat_and_hair_belong_to_the_person(face, layers):
    forehead, chin = face.landmarks[10], face.landmarks[152]
    assert at(layers.matte, forehead + 0.4 * (forehead - chin)) == 1


def test_behind_the_head_lies_background_not_the_face(face, layers):
    middle = face.landmarks[list(FACE_OVAL), :2].mean(0)
    x, y = (int(value) for value in middle)
    behind = layers.background[:, y - 20 : y + 20, x - 20 : x + 20].mean((1, 2))
    shown = face.cropped[:, y - 20 : y + 20, x - 20 : x + 20].mean((1, 2))
    assert (behind - shown).abs().max() > 0.1
    assert layers.background.min() >= 0
    assert layers.background.max() <= 1


def test_the_background_does_not_move_with_the_head(pack, face, layers):
    own = face.coefficients
    turn = HeadTurn(yaw=torch.tensor([15.0]), pitch=torch.tensor([5.0]))
    driving = pack.mapping.keypoints(face, own, turn).driving
    renderer = MeshRenderer()
    frame = renderer.render(renderer.prepare(face, face.landmarks), driving)[0]
    chin = int(face.landmarks[152, 1])
    change = (frame - face.cropped).abs().amax(0)[: int(0.8 * chin)]
    away = torch.nn.functional.max_pool2d(layers.matte[None], 81, 1, 40)[0, 0][: int(0.8 * chin)] == 0
    assert away.float().mean() > 0.05
    assert change[away].max() < 1e-5
    assert change[~away].max() > 0.3


SKIN, JACKET, WALL, CURTAIN = (0.8, 0.5, 0.4), (0.5, 0.2, 0.3), (0.1, 0.3, 0.7), (0.1, 0.6, 0.3)
"""Skin and jacket have more than 0.1 of red, wall and curtain, however they mix, do not."""


def person_before_two_colours(face, shoulders):
    """The face's outline filled with skin, in a jacket of that half width, in face widths."""
    points = face.landmarks[:, :2].numpy()
    outline, chin = points[list(FACE_OVAL)], points[152]
    middle, size = outline.mean(0), np.ptp(outline, axis=0)
    height, width = face.cropped.shape[1:]
    picture = np.empty((height, width, 3), np.float32)
    picture[:, : width // 2], picture[:, width // 2 :] = WALL, CURTAIN
    right = np.array([(0.4, -0.1), (shoulders, 0.15), (shoulders, 9.0)]) * size
    body = chin + np.concatenate((right, right[::-1] * (-1, 1)))
    for shape, colour in ((body, JACKET), (middle + (outline - middle) * 1.2, SKIN)):
        cv2.fillPoly(picture, [np.rint(shape).astype(np.int32)], colour)
    noise = torch.rand(1, height, width, generator=torch.Generator().manual_seed(0))
    picture = torch.from_numpy(picture).permute(2, 0, 1) + 0.02 * (noise - 0.5)
    return replace(face, picture=picture, cropped=picture)


@pytest.mark.parametrize("shoulders", [0.7, 1.0, 3.0])
@pytest.mark.parametrize("roll", [-15.0, 15.0])
@pytest.mark.parametrize("yaw", [0.0, 12.0])
def test_where_the_person_moved_away_nothing_of_it_stays(pack, face, shoulders, roll, yaw):
    drawn = person_before_two_colours(face, shoulders)
    turn = HeadTurn(yaw=torch.tensor([yaw]), roll=torch.tensor([roll]))
    driving = pack.mapping.keypoints(drawn, drawn.coefficients, turn).driving
    renderer = MeshRenderer()
    source = renderer.prepare(drawn, drawn.landmarks)
    frame, matte = renderer.render(source, driving)[0], renderer.matte(source, driving)[0]
    was_person = drawn.cropped[0] > 0.3
    uncovered = was_person & (matte < 0.5)
    assert uncovered.sum() > 100
    assert frame[0][uncovered].max() < 0.1 + 0.02
    assert frame[0][matte == 0].max() < 0.1 + 0.02
    # Half person, half background is nothing but an edge.
    between = ((frame[0] > 0.13) & (frame[0] < 0.45)).float()
    assert (-torch.nn.functional.max_pool2d(-between[None, None], 3, 1, 1)).sum() == 0


def test_shoulders_belong_to_the_person(face):
    drawn = person_before_two_colours(face, shoulders=3.0)
    matte = split_layers(drawn.cropped, drawn.landmarks).matte[0]
    person = drawn.cropped[0] > 0.3
    assert matte[person].min() == 1
    assert (matte[~person] > 0).float().mean() < 0.2


def test_a_picture_that_is_all_person_has_one_layer(face):
    oval = face.landmarks[list(FACE_OVAL), :2]
    (left, top), (right, bottom) = oval.amin(0).int().tolist(), oval.amax(0).int().tolist()
    close = face.cropped[:, top + 30 : bottom - 30, left + 30 : right - 30]
    points = face.landmarks - torch.tensor([left + 30.0, top + 30.0, 0.0])
    layers = split_layers(close, points)
    assert layers.matte.min() == 1
    assert torch.equal(layers.background, close)
    renderer = MeshRenderer()
    small = replace(face, cropped=close)
    frames = renderer.render(renderer.prepare(small, points), torch.stack((points, points + 5)))
    assert (frames[0] - close).square().mean() < 1e-6
    assert (frames[1] - close).abs().max() > 0.1


def test_is_repeatable(face, layers):
    again = split_layers(face.cropped, face.landmarks)
    assert torch.equal(again.matte, layers.matte)
    assert torch.equal(again.background, layers.background)
