"""Controls move what they name, on whatever face model; the tests never know its numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.controls.actions import ACTION_NAMES, LID_CLOSER, LID_DIFFERENCE, action_targets
from sadtalker_pack.sadtalker_core.controls.directions import action_directions, coverage
from sadtalker_pack.sadtalker_core.controls.sliders import (
    ANGLES,
    CONTROLS,
    NAMES,
    STRONGEST,
    action_strengths,
    apply_controls,
    check_value,
    gaze_asked_for,
    limits_of,
)
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, ControlError, TrackError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.measures import eye_opening
from sadtalker_pack.sadtalker_core.face.morphable import own_vertices
from sadtalker_pack.sadtalker_core.face.regions import CHIN, INNER_LIPS, LEFT_BROW, LEFT_IRIS, RIGHT_BROW, RIGHT_IRIS
from sadtalker_pack.sadtalker_core.flow import Coefficients

BROWS = [*LEFT_BROW, *RIGHT_BROW]
IRISES = [*LEFT_IRIS, *RIGHT_IRIS]
LEFT_EYELIDS, RIGHT_EYELIDS = (159, 145), (386, 374)
CORNERS = [78, 308]


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    with torch.no_grad():
        return extract_face(pack.landmarker, pack.extractor, demo_picture, size=256)


@pytest.fixture(scope="module")
def directions(model, face):
    return action_directions(model, own_vertices(face))


def track(frames=1, basis="open3"):
    return Coefficients(basis, 25.0, torch.zeros(frames, 64), torch.zeros(frames, 6))


def curve(*values):
    return torch.tensor(values, dtype=torch.float32)


def vertices(model, directions, face, **values):
    """The demo face's canonical vertices under controls."""
    changed = apply_controls(face.coefficients, {name: curve(value) for name, value in values.items()}, directions)
    offset = model.offsets(changed.expression - face.coefficients.expression)[0]
    return own_vertices(face) + offset


def moved(model, directions, face, points, **values):
    """Mean canonical displacement (3,) of some vertices under controls."""
    return (vertices(model, directions, face, **values) - own_vertices(face))[list(points)].mean(0)


class TestDirections:
    @pytest.mark.parametrize("name", ACTION_NAMES)
    def test_the_basis_expresses_most_of_each_action(self, model, face, directions, name):
        shape = own_vertices(face)
        mirror = torch.cdist(model.mean * torch.tensor((-1.0, 1.0, 1.0)), model.mean).argmin(1)
        displacement, meant = action_targets(name, mirror, shape)
        assert 0.8 < float(coverage(model, directions[ACTION_NAMES.index(name)], displacement, meant)) < 1.1

    def test_the_own_shape_is_seen_at_the_landmarks(self, pack, model, face):
        keypoints = pack.mapping.keypoints(face, face.coefficients)
        torch.testing.assert_close(keypoints.driving[0], face.landmarks, atol=0.05, rtol=0)
        assert own_vertices(face).shape == (478, 3)

    def test_a_face_of_another_basis_is_named(self, model, face):
        other = replace(face, basis="bfm09", camera=None)
        with pytest.raises(BasisMismatchError, match="bfm09"):
            own_vertices(other)

    def test_no_action_is_larger_than_an_expression(self, model, directions):
        assert float(model.offsets(directions).norm(dim=2).max()) < 0.35


class TestControls:
    def test_smile_lifts_and_widens_the_mouth(self, model, directions, face):
        up = moved(model, directions, face, CORNERS, smile=1.0)
        assert up[1] > 0.05
        width = vertices(model, directions, face, smile=1.0)[CORNERS, 0].diff()
        assert width - own_vertices(face)[CORNERS, 0].diff() > 0.1
        assert moved(model, directions, face, CORNERS, smile=-1.0)[1] < -0.04

    def test_brows_rise_and_fall_and_the_mouth_stays(self, model, directions, face):
        assert moved(model, directions, face, BROWS, brows=1.0)[1] > 0.05
        assert moved(model, directions, face, BROWS, brows=-1.0)[1] < -0.025
        mouth = moved(model, directions, face, INNER_LIPS, brows=1.0)
        assert mouth.norm() < 0.01

    def test_jaw_opens_the_mouth(self, model, directions, face):
        assert moved(model, directions, face, CHIN, jaw=1.0)[1] < -0.1
        shape = vertices(model, directions, face, jaw=1.0)
        own = own_vertices(face)
        assert (shape[13, 1] - shape[14, 1]) - (own[13, 1] - own[14, 1]) > 0.1

    @pytest.mark.parametrize(("name", "axis"), [("gaze_x", 0), ("gaze_y", 1)])
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_gaze_moves_the_irises(self, model, directions, face, name, axis, sign):
        assert moved(model, directions, face, IRISES, **{name: sign})[axis] * sign > 0.025
        assert moved(model, directions, face, INNER_LIPS, **{name: sign}).norm() < 0.005

    def test_blink_shuts_both_eyes_whatever_raises_the_lids(self, model, directions, face):
        own = eye_opening(own_vertices(face)[None])
        assert eye_opening(vertices(model, directions, face, blink=1.0)[None]) < 0.2 * own
        assert eye_opening(vertices(model, directions, face, blink=1.0, surprised=1.0)[None]) < 0.4 * own
        assert eye_opening(vertices(model, directions, face, blink=-1.0)[None]) > 1.2 * own

    @pytest.mark.parametrize(("value", "shut", "open_"), [(1.0, 1, 0), (-1.0, 0, 1)])
    def test_wink_shuts_one_eye(self, model, directions, face, value, shut, open_):
        own, winking = own_vertices(face), vertices(model, directions, face, wink=value)
        gaps = [
            [float(shape[upper, 1] - shape[lower, 1]) for upper, lower in (LEFT_EYELIDS, RIGHT_EYELIDS)]
            for shape in (own, winking)
        ]
        assert gaps[1][shut] < 0.3 * gaps[0][shut]
        assert gaps[1][open_] > 0.75 * gaps[0][open_]

    def test_every_emotion_differs_from_every_other(self, model, directions, face):
        names = ("happy", "sad", "angry", "surprised", "afraid", "disgusted")
        shapes = torch.stack([vertices(model, directions, face, **{name: 1.0}) for name in names])
        apart = torch.cdist(shapes.flatten(1), shapes.flatten(1)) + torch.eye(len(names)) * 9
        assert float(apart.min()) > 0.3

    def test_each_control_names_actions(self):
        for control in CONTROLS.values():
            assert {*control.up, *control.down} <= {*ACTION_NAMES}
            assert control.up

    def test_what_many_ask_for_stays_within_the_strongest(self):
        strengths = action_strengths({name: curve(1.0) for name in CONTROLS})
        assert float(strengths.abs().max()) == pytest.approx(STRONGEST)
        assert float(strengths[0, ACTION_NAMES.index(LID_CLOSER)]) == 1.0
        assert float(strengths[0, ACTION_NAMES.index(LID_DIFFERENCE)]) == 0.5


class TestApply:
    def test_zeros_change_nothing(self, directions):
        given = track(3)
        assert apply_controls(given, {name: torch.zeros(3) for name in NAMES}, directions) is given
        assert apply_controls(given, {}, directions) is given

    def test_angles_are_added_in_degrees(self):
        turned = apply_controls(track(), {"yaw": curve(10.0), "pitch": curve(-5.0)}, None)
        assert turned.pose[0, :3].rad2deg().tolist() == pytest.approx([-5.0, 10.0, 0.0], abs=1e-4)

    def test_a_channel_is_added_as_it_is_in_any_basis(self):
        changed = apply_controls(track(2, "bfm09"), {"e12": curve(0.0, 1.5)}, None)
        assert changed.expression[:, 12].tolist() == [0.0, 1.5]
        assert changed.expression.count_nonzero() == 1

    def test_one_frame_stands_for_all(self, directions):
        changed = apply_controls(track(), {"happy": curve(0.0, 0.5, 1.0)}, directions)
        assert len(changed) == 3
        torch.testing.assert_close(changed.expression[2], 2 * changed.expression[1])

    def test_a_track_without_the_stream_is_named(self, directions):
        pose_only = Coefficients("open3", 25.0, pose=torch.zeros(1, 6))
        with pytest.raises(TrackError, match="expression"):
            apply_controls(pose_only, {"happy": curve(1.0)}, directions)

    def test_knows_whether_a_slider_is_used(self):
        assert gaze_asked_for({"gaze_x": curve(0.0), "gaze_y": curve(0.0, 0.1), "happy": curve(1.0, 1.0)}) == ["gaze_y"]
        assert not gaze_asked_for({"happy": curve(1.0), "yaw": curve(5.0)})


class TestValues:
    @pytest.mark.parametrize("name", [*NAMES, "e0", "e63"])
    def test_limits_pass_and_more_does_not(self, name):
        lowest, highest = limits_of(name)
        assert check_value(name, lowest) == lowest
        assert check_value(name, highest) == highest
        for bad in (lowest - 0.01, highest + 0.01, float("nan"), float("inf")):
            with pytest.raises(ControlError, match=name):
                check_value(name, bad)

    @pytest.mark.parametrize("name", ["joy", "e64", "e", "E1", ""])
    def test_an_unknown_name_lists_the_controls(self, name):
        with pytest.raises(ControlError, match=r"happy.*e63"):
            check_value(name, 0.0)

    def test_angles_have_degrees(self):
        assert {limits_of(name) for name in ANGLES} == {(-30.0, 30.0)}
