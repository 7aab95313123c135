"""Files with exactly the tensors of the published ones are known, loaded strictly, written again; others are named."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, WeightsError
from sadtalker_pack.sadtalker_core.weights.catalog import MAPPINGS as MAPPING_NETWORKS
from sadtalker_pack.sadtalker_core.weights.catalog import NETWORKS, find_release
from sadtalker_pack.sadtalker_core.weights.detect import find_components
from sadtalker_pack.sadtalker_core.weights.export import write_official_pack
from sadtalker_pack.sadtalker_core.weights.official_pack import load_official_pack, official_networks
from sadtalker_pack.sadtalker_core.weights.read import read_weights
from sadtalker_pack.sadtalker_core.weights.rename import split_components
from sadtalker_pack.tests.support.official_files import (
    MAPPINGS,
    OLD_RELEASE,
    SINGLE_FILE,
    component,
    published_files,
    write_official_release,
    write_published,
)
from safetensors.torch import save_file

HOLDS = {
    "SadTalker_V0.0.2_256.safetensors": {*NETWORKS},
    "SadTalker_V0.0.2_512.safetensors": {*NETWORKS},
    "mapping_00229-model.pth.tar": {"mapping_crop"},
    "mapping_00109-model.pth.tar": {"mapping_full"},
    "auido2exp_00300-model.pth": {"audio2exp"},
    "auido2pose_00140-model.pth": {"audio2pose"},
    "facevid2vid_00189-model.pth.tar": {"kp_extractor", "generator", "he_estimator"},
    "epoch_20.pth": {"face_3drecon"},
    "alignment_WFLW_4HG.pth": {"landmark network"},
    "detection_Resnet50_Final.pth": {"face detector"},
}
"""Each published file, and the networks in it."""
SMALL = "auido2exp_00300-model.pth"
"""The smallest checkpoint, for damage."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Writes each published file once; gives its path."""
    folder = tmp_path_factory.mktemp("published")
    yield lambda name: folder / name if (folder / name).exists() else write_published(name, folder)
    shutil.rmtree(folder)


@pytest.fixture
def gather(files, tmp_path):
    """Puts files into one folder, under other names if wanted; gives the folder."""

    def link(*names, **renamed):
        for source, target in [*zip(names, names, strict=True), *renamed.items()]:
            os.link(files(source), tmp_path / target)
        return tmp_path

    return link


def equal(module, tensors):
    state = module.state_dict()
    return state.keys() == tensors.keys() and all(torch.equal(state[name], tensors[name]) for name in state)


class TestDetection:
    def test_every_file_of_the_manifest_is_covered(self):
        assert set(published_files()) == set(HOLDS)

    @pytest.mark.parametrize("name", sorted(HOLDS))
    def test_networks_are_known_by_their_tensors(self, files, name):
        assert {found.name for found in find_components(read_weights(files(name)).tensors)} == HOLDS[name]

    @pytest.mark.parametrize("name", ["mapping_00109-model.pth.tar", SMALL])
    def test_the_older_checkpoint_format(self, tmp_path, name):
        path = write_published(name, tmp_path, zipped=False)
        assert {found.name for found in find_components(read_weights(path).tensors)} == HOLDS[name]

    def test_names_of_files_do_not_matter(self, gather):
        folder = gather(
            **{SINGLE_FILE.format(size=256): "portrait.pt", MAPPINGS[0]: "a.ckpt", MAPPINGS[1]: "SadTalker_512.pth"}
        )
        assert set(find_release(folder / "portrait.pt").networks) == {*NETWORKS, *MAPPING_NETWORKS}


@pytest.mark.parametrize("name", [name for name, held in HOLDS.items() if held & {*NETWORKS, *MAPPING_NETWORKS}])
def test_every_tensor_is_used_once_or_dropped_by_a_rule(files, name):
    file = read_weights(files(name))
    parts = split_components(file, find_components(file.tensors))
    training = ("netG.encoder.", "netD_motion.")
    for network, tensors in parts.items():
        published = component({"mapping_crop": "mapping_00229", "mapping_full": "mapping_00109"}.get(network, network))
        folded = {key for key in published if key.endswith((".weight_u", ".weight_v"))}
        dropped = {key for key in published if network == "audio2pose" and key.startswith(training)}
        assert len(tensors) == len(published) - len(folded) - len(dropped)


class TestReleases:
    @pytest.mark.parametrize("size", [256, 512])
    def test_the_newer_one(self, gather, size):
        folder = gather(SINGLE_FILE.format(size=size), *MAPPINGS)
        pack = load_official_pack(folder / SINGLE_FILE.format(size=size))
        assert pack.extractor.size == size
        assert pack.styles == 46
        assert pack.basis == "bfm09"
        networks = official_networks(pack)
        assert equal(networks["audio2exp"], component("audio2exp"))
        assert equal(networks["kp_extractor"], component("kp_extractor"))
        assert equal(networks["face_3drecon"], component("face_3drecon"))
        assert equal(networks["mapping_crop"], component("mapping_00229"))
        assert equal(networks["mapping_full"], component("mapping_00109"))
        modules = [part for module in pack.modules.values() for part in module.modules()]
        assert not any(part.training for part in modules)
        assert not any(tensor.is_meta for part in modules for tensor in (*part.parameters(), *part.buffers()))

    def test_the_older_one_is_the_same(self, gather, tmp_path):
        old = load_official_pack(gather(*OLD_RELEASE, *MAPPINGS) / OLD_RELEASE[2])
        assert old.extractor.size == 256
        (tmp_path / "new").mkdir()
        new = load_official_pack(write_official_release(tmp_path / "new", 256))
        ours, theirs = official_networks(old), official_networks(new)
        assert all(equal(network, theirs[name].state_dict()) for name, network in ours.items())

    def test_written_by_us_and_read_again(self, gather, tmp_path):
        pack = load_official_pack(gather(SINGLE_FILE.format(size=512), *MAPPINGS) / SINGLE_FILE.format(size=512))
        path = tmp_path / "own" / "portraits.safetensors"
        write_official_pack(pack, path)
        again = load_official_pack(path)
        assert again.extractor.size == 512
        before, after = official_networks(pack), official_networks(again)
        assert all(equal(network, after[name].state_dict()) for name, network in before.items())

    def test_one_mapping_is_enough(self, gather):
        pack = load_official_pack(gather(SINGLE_FILE.format(size=256), MAPPINGS[0]) / SINGLE_FILE.format(size=256))
        assert pack.mapping.crop is not None
        assert pack.mapping.full is None

    def test_the_size_may_be_given(self, gather):
        folder = gather(MAPPINGS[0], **{SINGLE_FILE.format(size=256): "portraits.safetensors"})
        assert load_official_pack(folder / "portraits.safetensors").extractor.size == 256
        assert load_official_pack(folder / "portraits.safetensors", size=512).extractor.size == 512
        with pytest.raises(WeightsError, match="256 or 512 pixels; got the size 300"):
            load_official_pack(folder / "portraits.safetensors", size=300)

    def test_counters_of_batch_norm_may_be_missing(self, files, tmp_path):
        tensors = read_weights(files(SINGLE_FILE.format(size=256))).tensors
        kept = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
        assert len(kept) == len(tensors) - 158
        save_file(kept, tmp_path / "without.safetensors")
        os.link(files(MAPPINGS[1]), tmp_path / MAPPINGS[1])
        assert load_official_pack(tmp_path / "without.safetensors").mapping.full is not None


class TestRefusals:
    def test_a_missing_network_is_named(self, gather):
        folder = gather(*OLD_RELEASE[1:], MAPPINGS[0])
        with pytest.raises(WeightsError, match=f"{OLD_RELEASE[1]}.*lack audio2exp"):
            load_official_pack(folder / OLD_RELEASE[1])
        (folder / MAPPINGS[0]).unlink()
        gather(OLD_RELEASE[0])
        with pytest.raises(WeightsError, match="lack mapping"):
            load_official_pack(folder / OLD_RELEASE[0])

    def test_two_files_with_one_network_are_named(self, gather):
        folder = gather(*OLD_RELEASE, MAPPINGS[0], **{MAPPINGS[1]: "b.pth"})
        os.link(folder / MAPPINGS[0], folder / "twin.pth")
        with pytest.raises(WeightsError, match=f"Both {MAPPINGS[0]} and twin.pth hold the network mapping_crop"):
            load_official_pack(folder / OLD_RELEASE[2])

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("detection_Resnet50_Final.pth", "finds faces"), ("alignment_WFLW_4HG.pth", "finds landmarks")],
    )
    def test_other_networks_are_known_for_what_they_are(self, gather, name, reason):
        with pytest.raises(WeightsError, match=f"{name} holds none of SadTalker's networks; it is .*{reason}"):
            load_official_pack(gather(name) / name)

    def test_a_file_of_something_else(self, tmp_path):
        save_file({"weight": torch.zeros(3)}, tmp_path / "lora.safetensors")
        with pytest.raises(WeightsError, match=r"lora.safetensors holds none of SadTalker's networks\."):
            load_official_pack(tmp_path / "lora.safetensors")

    def test_strangers_in_a_file_are_named(self, tmp_path):
        tensors = {f"audio2exp.{key}": tensor for key, tensor in component("audio2exp").items()}
        save_file(tensors | {"audio3exp.mapping1.weight": torch.zeros(3)}, tmp_path / "odd.safetensors")
        with pytest.raises(WeightsError, match=r"odd.safetensors holds 1 tensors of no known network.*audio3exp"):
            load_official_pack(tmp_path / "odd.safetensors")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda t: t | {"mapping1.weight": t["mapping1.weight"][:, :-1].clone()},
                r"mapping1.weight: file \(64, 576\)",
            ),
            (lambda t: {k: v for k, v in t.items() if k != "mapping1.bias"}, "Missing: mapping1.bias"),
            (lambda t: t | {"mapping2.bias": t["mapping1.bias"]}, "Unexpected: mapping2.bias"),
        ],
    )
    def test_tensors_that_do_not_fit_are_listed_with_the_file(self, gather, change, message):
        folder = gather(*OLD_RELEASE[1:], MAPPINGS[0])
        torch.save({"model": change(component("audio2exp")), "epoch": 3}, folder / "changed.pth")
        with pytest.raises(WeightsError, match=rf"changed.pth does not fit the network ExpNet\..*{message}"):
            load_official_pack(folder / OLD_RELEASE[1])

    def test_a_mapping_network_of_another_width(self, gather, tmp_path):
        wide = component("mapping_00229") | {"first.0.weight": torch.zeros(1024, 71, 7)}
        torch.save({"mapping": wide}, tmp_path / "wide.pth")
        with pytest.raises(WeightsError, match=r"70 or 73 coefficients.*\(1024, 71, 7\)"):
            load_official_pack(tmp_path / "wide.pth")


class TestDamage:
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
    def test_checkpoints_cut_short(self, tmp_path, zipped, share):
        path = write_published(SMALL, tmp_path, zipped=zipped)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(WeightsError, match=f"{SMALL} cannot be read as a torch checkpoint.*cut short"):
            load_official_pack(path)

    def test_safetensors_cut_short(self, tmp_path):
        path = tmp_path / "a.safetensors"
        save_file(component("audio2exp"), path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(WeightsError, match="a.safetensors cannot be read as a safetensors file.*cut short"):
            load_official_pack(path)

    def test_a_checkpoint_under_the_name_of_the_safe_format(self, files, tmp_path):
        os.link(files(SMALL), tmp_path / "safe.safetensors")
        with pytest.raises(WeightsError, match=r"safe.safetensors cannot be read as a safetensors file"):
            load_official_pack(tmp_path / "safe.safetensors")

    def test_a_page_saved_in_place_of_a_file(self, tmp_path):
        (tmp_path / "mapping.pth.tar").write_text("<!DOCTYPE html><title>Sign in</title>")
        with pytest.raises(WeightsError, match="mapping.pth.tar cannot be read"):
            load_official_pack(tmp_path / "mapping.pth.tar")

    def test_a_damaged_neighbour_is_named_when_it_is_missed(self, gather):
        folder = gather(*OLD_RELEASE)
        (folder / "mapping.pth.tar").write_bytes(b"PK\x03\x04 and no more")
        with pytest.raises(WeightsError, match=r"lack mapping\..*mapping.pth.tar cannot be read"):
            load_official_pack(folder / OLD_RELEASE[2])

    def test_a_number_in_place_of_a_dictionary(self, tmp_path):
        torch.save(torch.zeros(3), tmp_path / "a.pth")
        with pytest.raises(WeightsError, match="a.pth holds a Tensor, not a dictionary"):
            load_official_pack(tmp_path / "a.pth")


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["beside the networks", "instead of them"])
def test_code_in_a_file_is_refused_and_never_runs(tmp_path, zipped, place):
    mark = tmp_path / "it ran"
    payload = Payload(mark)
    content = {"model": component("audio2exp"), "epoch": payload} if place.startswith("beside") else payload
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"a.pth needs code to be run.*refused.*safetensors"):
        load_official_pack(tmp_path / "a.pth")
    assert not mark.exists()
    torch.load(tmp_path / "a.pth", weights_only=False)  # noqa: TID251
    assert mark.exists(), "the test's own payload is harmless, so the refusal proves nothing"


def test_a_framing_without_its_network_says_which_file_it_needs(gather, demo_picture):
    from sadtalker_pack.sadtalker_core.face3d.extract import extract_face
    from sadtalker_pack.sadtalker_core.flow import Coefficients

    pack = load_official_pack(gather(SINGLE_FILE.format(size=256), MAPPINGS[0]) / SINGLE_FILE.format(size=256))
    face = extract_face(pack, demo_picture, framing="full")
    track = Coefficients("bfm09", 25, torch.zeros(2, 64), torch.zeros(2, 6))
    with pytest.raises(SadTalkerError, match="full and extfull need the mapping network.*mapping_00109"):
        pack.mapping.keypoints(face, track)
