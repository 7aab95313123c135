"""Files that are cut short, mislabelled or hostile give an error with their name, and nothing in them runs."""

import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import WeightsError
from sadtalker_pack.sadtalker_core.files.read import read_weights
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.detect import find_components
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.rename import split_components
from sadtalker_pack.sadtalker_core.packs.official.load import load_official_pack
from sadtalker_pack.tests.support.official_files import OLD_RELEASE, component
from safetensors.torch import save_file

SMALL = OLD_RELEASE[0]
"""The smallest checkpoint."""


class TestDamage:
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
    def test_checkpoints_cut_short(self, files, tmp_path, zipped, share):
        content = files(SMALL, zipped=zipped).read_bytes()
        path = tmp_path / SMALL
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(WeightsError, match=f"{SMALL} cannot be read as a torch checkpoint.*cut short"):
            load_official_pack(path)

    @pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.999])
    def test_safetensors_cut_short(self, tmp_path, share):
        path = tmp_path / "a.safetensors"
        save_file(component("audio2exp"), path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(WeightsError, match="a.safetensors cannot be read as a safetensors file.*cut short"):
            load_official_pack(path)

    def test_a_damaged_neighbour_is_named_when_it_is_missed(self, gather):
        folder = gather(*OLD_RELEASE)
        (folder / "mapping.pth.tar").write_bytes(b"PK\x03\x04 and no more")
        with pytest.raises(WeightsError, match=r"lack mapping\..*mapping.pth.tar cannot be read"):
            load_official_pack(folder / OLD_RELEASE[2])


class TestMislabelled:
    @pytest.mark.parametrize("zipped", [True, False])
    def test_a_checkpoint_under_the_name_of_the_safe_format(self, files, tmp_path, zipped):
        os.link(files(SMALL, zipped=zipped), tmp_path / "safe.safetensors")
        with pytest.raises(WeightsError, match=r"safe.safetensors cannot be read as a safetensors .* end in \.pth"):
            load_official_pack(tmp_path / "safe.safetensors")

    def test_the_safe_format_under_the_name_of_a_checkpoint(self, tmp_path):
        save_file({"mapping1.bias": torch.ones(64)}, tmp_path / "a.pth")
        assert torch.equal(read_weights(tmp_path / "a.pth").tensors["mapping1.bias"], torch.ones(64))

    def test_a_page_saved_in_place_of_a_file(self, tmp_path):
        (tmp_path / "mapping.pth.tar").write_text("<!DOCTYPE html><title>Sign in</title>")
        with pytest.raises(WeightsError, match="mapping.pth.tar cannot be read.*web page"):
            load_official_pack(tmp_path / "mapping.pth.tar")


class TestStrangeContent:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (torch.zeros(3), "holds a Tensor, not a dictionary"),
            ([torch.zeros(3)], "holds a list, not a dictionary"),
            ({"epoch": 3}, "holds none of SadTalker's networks"),
            ({3: {"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}}}, "holds the same names twice"),
            ({"a": torch.zeros(3, device="meta")}, "holds tensors that are no plain arrays of numbers: a"),
            ({"a": torch.eye(3).to_sparse()}, "holds tensors that are no plain arrays of numbers: a"),
        ],
    )
    def test_is_named(self, tmp_path, content, message):
        torch.save(content, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=f"a.pth {message}"):
            load_official_pack(tmp_path / "a.pth")

    def test_a_dictionary_that_holds_itself(self, tmp_path):
        content = {}
        content["model"] = content
        torch.save(content, tmp_path / "a.pth")
        with pytest.raises(WeightsError, match=r"a.pth cannot be read as a torch checkpoint \(RecursionError\)"):
            load_official_pack(tmp_path / "a.pth")

    @pytest.mark.parametrize("config", ["[1]", "{", "3"])
    def test_a_configuration_that_is_none(self, tmp_path, config):
        save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", metadata={"config": config})
        with pytest.raises(WeightsError, match="a.safetensors"):
            load_official_pack(tmp_path / "a.safetensors")


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


class CallsAFunction(Payload):
    """The same through what is built in."""

    def __reduce__(self):
        return eval, (f"open({str(self.mark)!r}, 'w').close()",)


class RunsACommand(Payload):
    """The same through a process."""

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.mark.parametrize("kind", [Payload, CallsAFunction, RunsACommand])
class TestCode:
    def refused(self, path, mark):
        with pytest.raises(WeightsError, match=r"a.pth needs code to be run.*refused.*convert.*safetensors"):
            load_official_pack(path)
        assert not mark.exists()

    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("place", ["beside the networks", "instead of them", "as a key"])
    def test_in_a_checkpoint(self, tmp_path, kind, zipped, place):
        payload, path = kind(tmp_path / "it ran"), tmp_path / "a.pth"
        contents = {
            "beside the networks": {"model": component("audio2exp"), "epoch": payload},
            "instead of them": payload,
            "as a key": {payload: component("audio2exp")},
        }
        torch.save(contents[place], path, _use_new_zipfile_serialization=zipped)
        self.refused(path, payload.mark)
        try:
            torch.load(path, weights_only=False)  # noqa: TID251
        except TypeError:
            assert place == "as a key"  # what came of running it may be no key
        assert payload.mark.exists(), "the test's own payload is harmless, so the refusal proves nothing"

    def test_in_a_bare_pickle(self, tmp_path, kind):
        payload, path = kind(tmp_path / "it ran"), tmp_path / "a.pth"
        path.write_bytes(pickle.dumps(payload))
        self.refused(path, payload.mark)

    def test_in_a_neighbour(self, tmp_path, kind):
        payload, path = kind(tmp_path / "it ran"), tmp_path / "a.pth"
        torch.save(payload, path)
        save_file({f"audio2exp.{name}": t for name, t in component("audio2exp").items()}, tmp_path / "b.safetensors")
        with pytest.raises(WeightsError, match=r"b.safetensors and the files beside it lack.*a.pth needs code"):
            load_official_pack(tmp_path / "b.safetensors")
        assert not payload.mark.exists()

    def test_in_an_archive_of_the_oldest_format(self, tmp_path, kind):
        """Versions of torch before 2.6 would unpickle its members freely, in spite of weights_only."""
        payload, path = kind(tmp_path / "it ran"), tmp_path / "a.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in ("storages", "tensors", "pickle"):
                member = tarfile.TarInfo(name)
                content = pickle.dumps(payload, protocol=2)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        with pytest.raises(WeightsError, match=r"a.tar cannot be read as a torch checkpoint: it does not begin"):
            load_official_pack(path)
        assert not payload.mark.exists()


def test_the_advised_conversion_is_read(tmp_path):
    torch.save({"model": component("audio2exp"), "loss": np.float64(0.3)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a.pth needs code to be run.*weights_only=False.*save_file"):
        read_weights(tmp_path / "a.pth")
    trusted = torch.load(tmp_path / "a.pth", weights_only=False)  # noqa: TID251
    save_file(trusted["model"], tmp_path / "converted.safetensors")
    file = read_weights(tmp_path / "converted.safetensors")
    assert set(split_components(file, find_components(file.tensors))) == {"audio2exp"}
