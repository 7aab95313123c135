"""Golden 07: the keypoint detector, and keypoints posed with and without given angles."""

from copy import deepcopy

import pytest
from sadtalker_pack.sadtalker_core.packs.official.keypoints import decode_degrees, rotation_matrix, transform_keypoints
from sadtalker_pack.tests.support.goldens import golden, largest_error
from sadtalker_pack.tests.support.render_networks import golden_portrait, rule_keypoint_detector

GOLDEN = golden("07_keypoints")
HEADS = {name: GOLDEN[f"kt.{name}"] for name in ("yaw", "pitch", "roll")}
GIVEN = {name: GOLDEN[f"kt.{name}_in"] for name in HEADS}


@pytest.mark.parametrize("size", [256, 512])
def test_detector(size):
    # In double precision: in single precision some processors round the larger picture to an error of 1.1e-4.
    found = deepcopy(rule_keypoint_detector()).double()(golden_portrait(size)[None].double())
    assert largest_error(found, GOLDEN[f"kp{size}"]) < 1e-4


def test_rotation():
    assert largest_error(rotation_matrix(**GIVEN), GOLDEN["kt.rotation_all"]) < 1e-6


@pytest.mark.parametrize(
    ("case", "given"),
    [("none", ()), ("yaw", ("yaw",)), ("pitch", ("pitch",)), ("roll", ("roll",)), ("all", ("yaw", "pitch", "roll"))],
)
def test_transformed(case, given):
    angles = {name: GIVEN[name] if name in given else decode_degrees(logits) for name, logits in HEADS.items()}
    posed = transform_keypoints(
        GOLDEN["kt.kp_canonical"],
        **angles,
        translation=GOLDEN["kt.t"],
        offsets=GOLDEN["kt.exp"].unflatten(1, (-1, 3)),
    )
    assert largest_error(posed, GOLDEN[f"kt.out_override_{case}"]) < 1e-4
