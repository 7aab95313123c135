"""Golden 05, as far as it concerns the tracks themselves: smoothing and driving videos."""

import pytest
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.posevae.smoothing import smooth_pose
from sadtalker_pack.sadtalker_core.tracks.driving import add_driving, match_track
from sadtalker_pack.tests.support.goldens import golden, largest_error

GOLDEN = golden("05_windows")
SMOOTHED = [name.removesuffix(".in") for name in GOLDEN if name.startswith("savgol") and name.endswith(".in")]
DRIVEN = [name.removesuffix(".ref") for name in GOLDEN if name.startswith("refpose") and name.endswith(".ref")]


@pytest.mark.parametrize("name", SMOOTHED)
def test_smoothing(name):
    assert largest_error(smooth_pose(GOLDEN[f"{name}.in"]), GOLDEN[f"{name}.out"]) < 1e-5


@pytest.mark.parametrize("name", DRIVEN)
def test_pose_with_a_driving_video(name):
    drawn, driving = (
        Coefficients("bfm09", 25.0, pose=pose) for pose in (smooth_pose(GOLDEN[f"{name}.in"]), GOLDEN[f"{name}.ref"])
    )
    assert largest_error(add_driving(drawn, driving).pose, GOLDEN[f"{name}.out"]) < 1e-5


def test_expression_of_a_driving_video():
    recorded = GOLDEN["refblink.ref_out"][:, :64]
    driving = Coefficients("bfm09", 25.0, expression=GOLDEN["refblink.in"])
    assert largest_error(match_track(driving, len(recorded), 25.0).expression, recorded) == 0
