"""Golden 05, as far as it concerns the tracks themselves: smoothing and reference videos."""

import pytest
from sadtalker_pack.sadtalker_core.posevae.smoothing import add_reference_motion, repeat_track, smooth_pose
from sadtalker_pack.tests.support.goldens import golden, largest_error

GOLDEN = golden("05_windows")
SMOOTHED = [name.removesuffix(".in") for name in GOLDEN if name.startswith("savgol") and name.endswith(".in")]
REFERENCED = [name.removesuffix(".ref") for name in GOLDEN if name.startswith("refpose") and name.endswith(".ref")]


@pytest.mark.parametrize("name", SMOOTHED)
def test_smoothing(name):
    assert largest_error(smooth_pose(GOLDEN[f"{name}.in"]), GOLDEN[f"{name}.out"]) < 1e-5


@pytest.mark.parametrize("name", REFERENCED)
def test_reference_pose(name):
    pose = add_reference_motion(smooth_pose(GOLDEN[f"{name}.in"]), GOLDEN[f"{name}.ref"])
    assert largest_error(pose, GOLDEN[f"{name}.out"]) < 1e-5


def test_reference_expression():
    recorded = GOLDEN["refblink.ref_out"][:, :64]
    assert largest_error(repeat_track(GOLDEN["refblink.in"], len(recorded)), recorded) == 0
