"""The picture that follows a slider."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.controls.directions import action_directions
from sadtalker_pack.sadtalker_core.controls.preview import PREVIEW_SIZE, draw_subject, prepare_subject, smaller_face
from sadtalker_pack.sadtalker_core.controls.sliders import NAMES
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, ControlError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.morphable import own_vertices


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    with torch.no_grad():
        return extract_face(pack.landmarker, pack.extractor, demo_picture, size=512)


@pytest.fixture(scope="module")
def subject(pack, face):
    model = pack.extractor.model
    return prepare_subject(pack, face, action_directions(model, own_vertices(face)))


@pytest.fixture(scope="module")
def rest(pack, subject):
    return draw_subject(pack, subject, dict.fromkeys(NAMES, 0.0))


def test_at_rest_it_is_the_portrait_made_small(subject, rest):
    assert max(rest.shape[1:]) == PREVIEW_SIZE
    difference = (rest - subject.face.cropped).abs()
    assert float(difference.max()) < 0.06  # at the lids, whose edge is drawn anew
    assert float(difference.mean()) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_each_slider_changes_it(pack, subject, rest, name):
    changed = draw_subject(pack, subject, {name: 15.0 if name in ("pitch", "yaw", "roll") else 1.0})
    assert float((changed - rest).abs().amax(0).gt(0.1).float().mean()) > 0.0005
    assert bool(torch.isfinite(changed).all())


@pytest.mark.parametrize("name", ["gaze_x", "gaze_y"])
def test_gaze_changes_the_eyes_alone(pack, subject, rest, name):
    changed = draw_subject(pack, subject, {name: 1.0})
    difference = ((changed - rest).abs().amax(0) - 0.1).clamp(min=0)  # what a shift of a tenth of a pixel does
    eyes = subject.face.landmarks[[33, 263, 159, 145], :2]
    (left, top), (right, bottom) = (eyes.amin(0) - 25).int().tolist(), (eyes.amax(0) + 25).int().tolist()
    inside = difference[top:bottom, left:right].sum()
    assert float(inside) > 5
    assert float(inside / difference.sum()) > 0.9


def test_the_same_wherever_it_is_made_small(pack, face):
    small = smaller_face(face, 256)
    large, little = (pack.mapping.keypoints(one, one.coefficients).driving[0] for one in (face, small))
    torch.testing.assert_close(little[:, :2] * face.crop.width / small.crop.width, large[:, :2], atol=0.3, rtol=0)


def test_names_and_values_are_checked(pack, subject):
    with pytest.raises(ControlError, match="no control"):
        draw_subject(pack, subject, {"joy": 1.0})
    with pytest.raises(ControlError, match="happy"):
        draw_subject(pack, subject, {"happy": 5.0})


def test_a_face_of_another_pack_is_named(pack, face):
    other = replace(face, basis="bfm09")
    with pytest.raises(BasisMismatchError):
        prepare_subject(pack, other, None)
