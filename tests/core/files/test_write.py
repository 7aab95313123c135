"""Files are there whole, or as they were."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.files import write
from sadtalker_pack.sadtalker_core.files.write import write_whole
from safetensors.torch import load_file


def test_a_second_write_replaces_the_first_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new folder" / "step.safetensors"
    for value in (1.0, 2.0):
        write_whole(path, {"weight": torch.full((3,), value)})
    assert load_file(path)["weight"].tolist() == [2, 2, 2]
    assert [file.name for file in path.parent.iterdir()] == ["step.safetensors"]


def test_a_write_that_is_stopped_leaves_the_file_of_before(tmp_path, monkeypatch):
    path = tmp_path / "step.safetensors"
    write_whole(path, {"weight": torch.ones(3)})

    def disk_full(_tensors, target, _metadata):
        target.write_bytes(path.read_bytes()[:20])
        raise OSError("No space left on device")

    monkeypatch.setattr(write, "save_file", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, {"weight": torch.zeros(3)})
    assert load_file(path)["weight"].tolist() == [1, 1, 1]
    monkeypatch.undo()
    write_whole(path, {"weight": torch.zeros(3)})  # over what was left behind
    assert load_file(path)["weight"].tolist() == [0, 0, 0]
