import torch
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.training.morphable_model import with_settled_signs


def test_components_computed_with_other_signs_are_the_same():
    random = torch.Generator().manual_seed(1)
    components = torch.linalg.qr(torch.randn(1434, 64, generator=random)).Q.T
    reversed_ones = torch.where(torch.rand(64, 1, generator=random) < 0.5, -components, components)
    assert torch.equal(with_settled_signs(components), with_settled_signs(reversed_ones))


def test_the_pack_has_the_signs_that_a_new_training_gives():
    model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors")
    for basis in (model.expression_basis.flatten(1), model.identity_basis.flatten(1)):
        assert torch.equal(with_settled_signs(basis), basis)
