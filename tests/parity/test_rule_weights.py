import pytest
import torch
from sadtalker_pack.tests.support.audio_networks import official_shapes
from sadtalker_pack.tests.support.goldens import kit
from sadtalker_pack.tests.support.rule_weights import rule_weights

CHECKS = kit()["weight_checks"]
SPECTRAL_SHAPES = {
    "generator.decoder.G_middle_0.conv_0.weight_orig": (512, 512, 3, 3),
    "generator.decoder.G_middle_2.conv_0.weight_orig": (512, 512, 3, 3),
    "generator.decoder.up_0.conv_0.weight_orig": (256, 512, 3, 3),
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_rule_makes_the_kits_weights(name):
    check = CHECKS[name]
    made = rule_weights({**SPECTRAL_SHAPES, name: check["shape"]}, kit()["salt"])[name].double().flatten()
    expected = torch.tensor(check["first"], dtype=torch.float64)
    assert torch.allclose(made[: len(expected)], expected, rtol=1e-6, atol=1e-8)
    assert float(made.sum()) == pytest.approx(check["sum"], rel=1e-5, abs=1e-4)
    assert float(made.abs().sum()) == pytest.approx(check["abs_sum"], rel=1e-6)


def test_our_networks_have_the_official_names_and_shapes():
    shapes = official_shapes()
    assert len(shapes) == 93 + 419  # tensors of audio2exp and audio2pose in the official files
    checked = {name: tuple(check["shape"]) for name, check in CHECKS.items() if name.startswith("audio2")}
    assert checked.items() <= shapes.items()
