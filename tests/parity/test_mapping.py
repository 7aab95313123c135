"""Goldens 05 (MappingNet's windows, camera curves) and 06 (its heads)."""

import re
from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.sadtalker_core.packs.official.keypoints import decode_degrees
from sadtalker_pack.sadtalker_core.packs.official.mapping import RADIUS, coefficient_rows, mapping_windows
from sadtalker_pack.sadtalker_core.render.head_turn import angle_curve
from sadtalker_pack.sadtalker_core.tracks.scale import combine, hold_pose, scale_expression
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.goldens import golden, largest_error
from sadtalker_pack.tests.support.official_networks import rule_mapping

WINDOWS, HEADS = golden("05_windows"), golden("06_mapping")
FIRST = WINDOWS["refblink.first"]
TRACK = Coefficients("bfm09", 25, expression=WINDOWS["win.coeff"][:, :64], pose=WINDOWS["win.coeff"][:, 64:70])


def face(*, full):
    own = Coefficients("bfm09", 25, FIRST[:, :64], FIRST[:, 64:70], FIRST[:, 70:73] if full else None)
    picture = torch.zeros(3, 8, 8)
    return source_face(picture, picture, Crop(0, 0, 8, 8, 8, 8), torch.zeros(478, 3), torch.zeros(80), own)


def windows(track, portrait, frames=None):
    """Windows (T, C, 27) of the frames that the reference renders, or of some of them."""
    rows = coefficient_rows(track, portrait)
    return mapping_windows(rows, track.fps, torch.arange(len(rows)) if frames is None else frames)


def in_order(recorded):
    """(T, ...) of a recorded (B, T / B, ...), which the reference pads at its end to a multiple of B frames."""
    flat = recorded.flatten(0, 1)
    assert all(torch.equal(row, flat[len(TRACK) - 1]) for row in flat[len(TRACK) :])
    return flat[: len(TRACK)]


class TestWindows:
    def test_crop(self):
        scaled = scale_expression(TRACK, 1.3, torch.zeros(64))
        expected = in_order(WINDOWS["win.crop_b2_scale1.3.target"])
        assert largest_error(windows(scaled, face(full=False)), expected) < 1e-6

    def test_still(self):
        portrait = face(full=False)
        still = combine(TRACK, hold_pose(portrait, len(TRACK), 25))
        centre = windows(still, portrait)[:, :, RADIUS]
        assert torch.equal(centre, in_order(WINDOWS["win.crop_still_b3.target_col13"]))

    def test_full_and_still(self):
        portrait = face(full=True)
        still = combine(TRACK, hold_pose(portrait, len(TRACK), 25))
        assert torch.equal(windows(still, portrait), WINDOWS["win.full_still_b1.target"][0])

    def test_extended_full(self):
        found = windows(TRACK, face(full=True), torch.tensor([0, 5, 10]))
        assert torch.equal(found, WINDOWS["win.extfull_b1.target_frames_0_5_10"])

    @pytest.mark.parametrize(("full", "name"), [(False, "win.crop_b2.source"), (True, "win.full_still_b1.source")])
    def test_source(self, full, name):
        portrait = face(full=full)
        found = windows(portrait.coefficients, portrait)
        assert torch.equal(found.expand_as(WINDOWS[name]), WINDOWS[name])

    def test_the_crop_of_the_track_itself_is_not_read(self):
        track = replace(TRACK, crop=torch.zeros(len(TRACK), 3))
        assert torch.equal(windows(track, face(full=True)), windows(TRACK, face(full=True)))


CAMERA = [name for name in WINDOWS if re.match(r"win\.(yaw|pitch|roll)_", name)]


@pytest.mark.parametrize("name", CAMERA)
def test_camera_curve(name):
    angles = [float(angle) for angle in name.split("_")[1:-1]]
    assert largest_error(angle_curve(angles, len(TRACK)), in_order(WINDOWS[name])) < 1e-5


def test_camera_curve_of_many_frames():
    recorded = WINDOWS["win.camera_1frame_lists"][0]
    assert largest_error(angle_curve([0, 45, -45], len(recorded)), recorded) < 1e-5


@pytest.mark.parametrize("name", ["mapping_00229", "mapping_00109"])
def test_heads(name):
    recorded = {key.removeprefix(f"{name}."): value for key, value in HEADS.items() if key.startswith(f"{name}.")}
    output = rule_mapping(name)(recorded["in"])
    for head in ("yaw", "pitch", "roll"):
        logits = getattr(output, head)
        assert largest_error(logits, recorded[head]) < 1e-4
        assert largest_error(decode_degrees(logits), recorded[f"{head}_deg"]) < 1e-3
    assert largest_error(output.translation, recorded["t"]) < 1e-4
    assert largest_error(output.offsets.flatten(1), recorded["exp"]) < 1e-4
