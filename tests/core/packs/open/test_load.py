import shutil

import pytest
from sadtalker_pack.sadtalker_core.errors import WeightsError
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.packs.open.load import load_expnet, load_open_pack, load_posevae


def test_every_module_is_in_inference_mode(pack):
    """Batch norm in training mode would answer with the statistics of the batch it is given."""
    assert not any(part.training for module in pack.modules.values() for part in module.modules())
    assert not any(parameter.requires_grad for module in pack.modules.values() for parameter in module.parameters())
    for load, name in ((load_expnet, "expnet"), (load_posevae, "posevae"), (load_morphable_model, "morphable")):
        assert not load(OPEN_ASSETS / f"{name}.safetensors").training


def test_weights_stay_small_enough_to_ship():
    assert sum(file.stat().st_size for file in OPEN_ASSETS.glob("*.safetensors")) < 25e6


@pytest.mark.parametrize("name", ["landmarker", "morphable", "expnet", "posevae"])
def test_a_missing_or_damaged_file_is_named(tmp_path, name):
    for file in OPEN_ASSETS.glob("*.safetensors"):
        shutil.copy(file, tmp_path)
    broken = tmp_path / f"{name}.safetensors"
    broken.write_bytes(broken.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=broken.name):
        load_open_pack(tmp_path)
    broken.unlink()
    with pytest.raises(WeightsError, match=broken.name):
        load_open_pack(tmp_path)
