"""Golden 08: dense motion by itself, on made-up features."""

import zlib

import numpy as np
import pytest
import torch
from sadtalker_pack.tests.support.goldens import golden, kit, largest_error
from sadtalker_pack.tests.support.render_networks import recorded_calls, rule_renderer, share_above

GOLDEN = golden("08_dense_motion")
LIMIT = 1e-3


@pytest.fixture(scope="module")
def features():
    """The rule of the kit, see its specification."""
    random = np.random.RandomState(zlib.crc32(f"input:{kit()['salt']}:dense_feature".encode()))
    return torch.from_numpy((0.8 * random.standard_normal((1, 32, 16, 64, 64))).astype(np.float32))


@pytest.fixture(scope="module")
def results(features):
    """Motion, and the shares of the motions before the smallest are left out."""
    network = rule_renderer().generator.dense_motion_network
    with torch.inference_mode(), recorded_calls(network, "mask") as calls:
        motion = network(network.prepare(features, GOLDEN["kp_source"][0]), GOLDEN["kp_driving"])
    return motion, calls["mask"].softmax(1)


def test_the_features_are_those_of_the_kit(features):
    assert torch.equal(features.flatten()[:64], GOLDEN["feature_head"])


def test_shares(results):
    _, shares = results
    assert share_above(shares[0, :, ::4, ::4, ::4], GOLDEN["mask_s4"], LIMIT) <= 1e-3


def test_deformation(results):
    motion, _ = results
    assert share_above(motion.deformation[0, ::2, ::2, ::2], GOLDEN["deformation_s2"], LIMIT) <= 1e-3


def test_occlusion(results):
    motion, _ = results
    assert largest_error(motion.occlusion[0, 0], GOLDEN["occlusion"]) < LIMIT
