import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import WeightsError
from sadtalker_pack.sadtalker_core.files.read import load_strictly, read_safetensors
from sadtalker_pack.sadtalker_core.files.write import write_safetensors
from torch import nn


def test_round_trip_keeps_values_and_configuration(tmp_path):
    layer = nn.Linear(3, 2)
    write_safetensors(tmp_path / "a.safetensors", layer.state_dict(), {"styles": 7}, dtype=torch.float32)
    file = read_safetensors(tmp_path / "a.safetensors")
    other = nn.Linear(3, 2)
    load_strictly(other, file)
    assert file.config == {"styles": 7}
    assert torch.equal(other.weight, layer.weight)


def test_half_precision_comes_back_as_float32(tmp_path):
    layer = nn.Linear(3, 2)
    write_safetensors(tmp_path / "a.safetensors", layer.state_dict(), {})
    other = nn.Linear(3, 2)
    load_strictly(other, read_safetensors(tmp_path / "a.safetensors"))
    assert other.weight.dtype == torch.float32
    assert torch.allclose(other.weight, layer.weight, atol=1e-3)


def test_missing_file_says_which_and_where(tmp_path):
    with pytest.raises(WeightsError, match="expnet.safetensors is missing"):
        read_safetensors(tmp_path / "expnet.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a weight file", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_file_is_named(tmp_path, content):
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="bad.safetensors cannot be read"):
        read_safetensors(tmp_path / "bad.safetensors")


def test_strict_load_lists_what_does_not_fit(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"weight": torch.zeros(2, 4), "extra": torch.zeros(1)}, {})
    with pytest.raises(WeightsError) as caught:
        load_strictly(nn.Linear(3, 2), read_safetensors(tmp_path / "a.safetensors"))
    assert "Missing: bias" in str(caught.value)
    assert "Unexpected: extra" in str(caught.value)
    assert "weight: file (2, 4), network (2, 3)" in str(caught.value)
