"""The regressor's output, and its names."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.packs.official.regressor import REGRESSED, FaceRegressor, split_coefficients
from sadtalker_pack.tests.support.official_networks import rule_regressor


def test_every_picture_of_a_batch_has_its_own_coefficients():
    pictures = torch.rand(2, 3, 224, 224)
    together = rule_regressor()(pictures)
    assert together.shape == (2, REGRESSED)
    assert torch.allclose(together[1:], rule_regressor()(pictures[1:]), atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


def test_coefficients_are_split_in_the_published_order():
    face = split_coefficients(torch.arange(2.0 * REGRESSED).reshape(2, REGRESSED))
    starts = {"identity": 0, "expression": 80, "texture": 144, "angles": 224, "light": 227, "translation": 254}
    for name, start in starts.items():
        part = getattr(face, name)
        assert part[0].tolist() == list(range(start, start + part.shape[1]))
    assert sum(getattr(face, name).shape[1] for name in starts) == 257
    assert face.pose[0].tolist() == [224, 225, 226, 254, 255, 256]


def test_is_built_without_memory_on_the_meta_device():
    with torch.device("meta"):
        network = FaceRegressor()
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"meta"}
    network.load_state_dict(rule_regressor().state_dict(), assign=True)
    pictures = torch.rand(1, 3, 224, 224)
    assert torch.equal(network.eval()(pictures), rule_regressor()(pictures))


def test_other_sizes_are_named():
    with pytest.raises(ShapeError, match=r"expected shape \(B, 3, 224, 224\), got \(1, 3, 256, 256\)"):
        rule_regressor()(torch.rand(1, 3, 256, 256))
