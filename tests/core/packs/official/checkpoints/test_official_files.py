"""Files with exactly the tensors of the published ones are known, loaded strictly, and saved again."""

import os

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, WeightsError
from sadtalker_pack.sadtalker_core.expnet.model import ExpNet
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.files.read import WeightFile, load_strictly, read_weights
from sadtalker_pack.sadtalker_core.files.write import write_safetensors
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.catalog import MAPPINGS as MAPPING_NETWORKS
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.catalog import NETWORKS, find_release
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.detect import find_components
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.export import write_official_pack
from sadtalker_pack.sadtalker_core.packs.official.checkpoints.rename import split_components
from sadtalker_pack.sadtalker_core.packs.official.generator import Generator
from sadtalker_pack.sadtalker_core.packs.official.keypoints import KeypointDetector
from sadtalker_pack.sadtalker_core.packs.official.load import load_official_pack, official_networks
from sadtalker_pack.sadtalker_core.packs.official.mapping import CROP_CHANNELS, FULL_CHANNELS, MappingNetwork
from sadtalker_pack.sadtalker_core.packs.official.regressor import FaceRegressor
from sadtalker_pack.sadtalker_core.posevae.model import PoseVAE
from sadtalker_pack.tests.support.audio_networks import official_posevae_name
from sadtalker_pack.tests.support.official_files import (
    MAPPINGS,
    OLD_RELEASE,
    SINGLE_FILE,
    component,
    published_files,
    write_official_release,
)
from safetensors.torch import save_file

SMALL, LARGE = SINGLE_FILE.format(size=256), SINGLE_FILE.format(size=512)
CROP_MAPPING, FULL_MAPPING = MAPPINGS
EXPNET, POSEVAE, RENDERER, REGRESSOR = OLD_RELEASE
HOLDS = {
    SMALL: {*NETWORKS},
    LARGE: {*NETWORKS},
    CROP_MAPPING: {"mapping_crop"},
    FULL_MAPPING: {"mapping_full"},
    EXPNET: {"audio2exp"},
    POSEVAE: {"audio2pose"},
    RENDERER: {"kp_extractor", "generator", "he_estimator"},
    REGRESSOR: {"face_3drecon"},
    "alignment_WFLW_4HG.pth": {"landmark network"},
    "detection_Resnet50_Final.pth": {"face detector"},
}
"""Each published file, and the networks in it."""
OURS = {
    "audio2exp": ExpNet,
    "audio2pose": PoseVAE,
    "kp_extractor": KeypointDetector,
    "generator": Generator,
    "face_3drecon": FaceRegressor,
    "mapping_crop": lambda: MappingNetwork(CROP_CHANNELS),
    "mapping_full": lambda: MappingNetwork(FULL_CHANNELS),
}
OFFICIAL_NAMES = {"mapping_crop": "mapping_00229", "mapping_full": "mapping_00109"}
FORMATS = [(name, True) for name in HOLDS] + [(name, False) for name in HOLDS if not name.endswith(".safetensors")]
formats = pytest.mark.parametrize(("name", "zipped"), FORMATS)


def published(network):
    """The published weights of a network under the names of our module."""
    weights = component(OFFICIAL_NAMES.get(network, network))
    if network == "audio2pose":
        return {key: weights[official_posevae_name(key).removeprefix("audio2pose.")] for key in PoseVAE().state_dict()}
    folded = {key: tensor for key, tensor in weights.items() if not key.endswith(("_orig", "_u", "_v"))}
    for key in weights.keys() - folded.keys():
        if key.endswith("_orig"):
            stem = key.removesuffix("_orig")
            left, right = (weights[f"{stem}{end}"].double() for end in ("_u", "_v"))
            folded[stem] = (weights[key] / (left @ weights[key].double().flatten(1) @ right)).float()
    return folded


def assert_same(module, tensors):
    state = module.state_dict()
    assert state.keys() == tensors.keys()
    for name, tensor in state.items():
        # Folded ones were computed with twice the precision here.
        torch.testing.assert_close(tensor, tensors[name], rtol=2e-6, atol=0, msg=name)


def assert_equal(network, other):
    state = other.state_dict()
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def loaded(network, file):
    with torch.device("meta"):
        module = OURS[network]()
    load_strictly(module, file)
    return module


class TestEachFile:
    def test_all_of_the_manifest_are_covered(self):
        assert set(published_files()) == set(HOLDS)

    @formats
    def test_is_known_by_its_tensors(self, files, name, zipped):
        file = read_weights(files(name, zipped=zipped))
        assert {found.name for found in find_components(file.tensors)} == HOLDS[name]

    @formats
    def test_is_loaded_strictly_and_saved_again(self, files, tmp_path, name, zipped):
        file = read_weights(files(name, zipped=zipped))
        if not HOLDS[name] & OURS.keys():
            with pytest.raises(WeightsError, match=f"{name} holds none of SadTalker's networks; it is a network that"):
                find_release(file.path)
            return
        parts = split_components(file, find_components(file.tensors))
        for network in sorted(parts.keys() & OURS.keys()):
            module = loaded(network, WeightFile(file.path, parts[network], {}))
            assert_same(module, published(network))
            saved = tmp_path / f"{network}.safetensors"
            write_safetensors(saved, module.state_dict(), {}, dtype=torch.float32)
            assert_equal(loaded(network, read_weights(saved)), module)

    def test_numbers_of_half_precision_become_float32(self, tmp_path):
        half = {f"generator.{key}": tensor.half() for key, tensor in component("generator").items()}
        save_file(half, tmp_path / "half.safetensors")
        file = read_weights(tmp_path / "half.safetensors")
        parts = split_components(file, find_components(file.tensors))
        state = loaded("generator", WeightFile(file.path, parts["generator"], {})).state_dict()
        assert all(tensor.dtype == torch.float32 for name, tensor in state.items() if "num_batches" not in name)
        exact = published("generator")
        assert all((state[name] - exact[name]).abs().max() < 0.02 for name in state if "num_batches" not in name)


class TestReleases:
    @pytest.mark.parametrize("size", [256, 512])
    def test_the_newer_one(self, gather, size):
        pack = load_official_pack(gather(SINGLE_FILE.format(size=size), *MAPPINGS) / SINGLE_FILE.format(size=size))
        assert pack.extractor.size == size
        assert pack.styles == 46
        assert pack.basis == "bfm09"
        networks = official_networks(pack)
        assert networks.keys() == OURS.keys()
        for name, network in networks.items():
            assert_same(network, published(name))
        modules = [part for module in pack.modules.values() for part in module.modules()]
        tensors = [tensor for part in modules for tensor in (*part.parameters(), *part.buffers())]
        assert not any(part.training for part in modules)
        assert not any(tensor.is_meta or tensor.requires_grad for tensor in tensors)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_the_older_one_is_the_same(self, gather, tmp_path, zipped):
        old = load_official_pack(gather(*OLD_RELEASE, *MAPPINGS, zipped=zipped) / RENDERER)
        assert old.extractor.size == 256
        new = load_official_pack(write_official_release(tmp_path / "new", 256))
        theirs = official_networks(new)
        for name, network in official_networks(old).items():
            assert_equal(network, theirs[name])

    def test_written_by_us_and_read_again(self, gather, tmp_path):
        pack = load_official_pack(gather(LARGE, *MAPPINGS) / LARGE)
        path = tmp_path / "own" / "portraits.safetensors"
        write_official_pack(pack, path)
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        assert read_weights(path).config == {"release": "official", "basis": "bfm09", "size": 512, "styles": 46}
        again = load_official_pack(path)
        assert again.extractor.size == 512
        after = official_networks(again)
        for name, network in official_networks(pack).items():
            assert_equal(network, after[name])

    def test_the_open_pack_is_not_written_as_an_official_one(self, pack, tmp_path):
        with pytest.raises(WeightsError, match="'open' does not consist of the official networks"):
            write_official_pack(pack, tmp_path / "a.safetensors")

    def test_names_of_files_do_not_matter(self, gather):
        folder = gather(renamed={SMALL: "portrait.pt", CROP_MAPPING: "a.ckpt", FULL_MAPPING: "SadTalker_512.pth"})
        assert set(find_release(folder / "portrait.pt")) == {*NETWORKS, *MAPPING_NETWORKS}

    def test_one_mapping_is_enough(self, gather):
        pack = load_official_pack(gather(SMALL, CROP_MAPPING) / SMALL)
        assert pack.mapping.crop is not None
        assert pack.mapping.full is None

    def test_the_most_specific_file_wins(self, gather):
        release = find_release(gather(SMALL, EXPNET, REGRESSOR, *MAPPINGS) / CROP_MAPPING)
        assert {name: file.path.name for name, file in release.items()} == {
            "audio2exp": EXPNET,
            "face_3drecon": REGRESSOR,
            "audio2pose": SMALL,
            "kp_extractor": SMALL,
            "generator": SMALL,
            "mapping_crop": CROP_MAPPING,
            "mapping_full": FULL_MAPPING,
        }

    def test_counters_of_batch_norm_may_be_missing(self, files, tmp_path):
        tensors = read_weights(files(SMALL)).tensors
        kept = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
        assert len(kept) == len(tensors) - 158
        save_file(kept, tmp_path / "without.safetensors")
        os.link(files(FULL_MAPPING), tmp_path / FULL_MAPPING)
        assert load_official_pack(tmp_path / "without.safetensors").mapping.full is not None

    def test_a_framing_without_its_network_says_which_file_it_needs(self, gather, demo_picture):
        from sadtalker_pack.sadtalker_core.face.extract import extract_face
        from sadtalker_pack.sadtalker_core.flow import Coefficients

        pack = load_official_pack(gather(SMALL, CROP_MAPPING) / SMALL)
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing="full")
        track = Coefficients("bfm09", 25, torch.zeros(2, 64), torch.zeros(2, 6))
        with pytest.raises(SadTalkerError, match="full and extfull need the mapping network.*mapping_00109"):
            pack.mapping.keypoints(face, track)


class TestSize:
    def test_is_in_the_name_of_the_generator_s_file(self, gather):
        folder = gather(CROP_MAPPING, renamed={LARGE: "v512_f16.safetensors", FULL_MAPPING: "256.pth"})
        assert load_official_pack(folder / "v512_f16.safetensors").extractor.size == 512
        assert load_official_pack(folder / "256.pth").extractor.size == 512

    @pytest.mark.parametrize("name", ["portraits", "256_or_512", "portraits_1512"])
    def test_is_256_where_the_name_does_not_tell(self, gather, name):
        folder = gather(CROP_MAPPING, renamed={LARGE: f"{name}.safetensors"})
        assert load_official_pack(folder / f"{name}.safetensors").extractor.size == 256

    def test_may_be_given(self, gather):
        path = gather(SMALL, CROP_MAPPING) / SMALL
        assert load_official_pack(path, size=512).extractor.size == 512
        with pytest.raises(WeightsError, match=f"{SMALL} draw 256 or 512 pixels; got the size 300"):
            load_official_pack(path, size=300)


class TestRefusals:
    def test_a_missing_network_is_named(self, gather):
        folder = gather(*OLD_RELEASE[1:], CROP_MAPPING)
        with pytest.raises(WeightsError, match=f"{POSEVAE}.*lack audio2exp"):
            load_official_pack(folder / POSEVAE)
        (folder / CROP_MAPPING).unlink()
        gather(EXPNET)
        with pytest.raises(WeightsError, match="lack mapping"):
            load_official_pack(folder / EXPNET)

    def test_two_files_with_one_network_are_named(self, gather):
        folder = gather(*OLD_RELEASE, CROP_MAPPING)
        os.link(folder / CROP_MAPPING, folder / "twin.pth")
        with pytest.raises(WeightsError, match=f"Both {CROP_MAPPING} and twin.pth hold the network mapping_crop"):
            load_official_pack(folder / RENDERER)
        assert load_official_pack(folder / "twin.pth").mapping.crop is not None

    def test_a_network_twice_in_a_file(self, tmp_path):
        save_file({f"{start}.mapping1.bias": torch.zeros(64) for start in "ab"}, tmp_path / "twice.safetensors")
        with pytest.raises(WeightsError, match=r"twice.safetensors holds one network more than once \(at a\., b\.\)"):
            load_official_pack(tmp_path / "twice.safetensors")

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("detection_Resnet50_Final.pth", "finds faces"), ("alignment_WFLW_4HG.pth", "finds landmarks")],
    )
    def test_other_networks_are_known_for_what_they_are(self, gather, name, reason):
        with pytest.raises(WeightsError, match=f"it is a network that {reason}; the pack has its own"):
            load_official_pack(gather(name) / name)

    def test_a_file_of_something_else(self, tmp_path):
        save_file({"lora.weight": torch.zeros(3)}, tmp_path / "lora.safetensors")
        with pytest.raises(WeightsError, match=r"holds none of SadTalker's networks, but tensors named lora.weight\."):
            load_official_pack(tmp_path / "lora.safetensors")

    def test_networks_of_another_basis(self):
        with pytest.raises(WeightsError, match="expnet.safetensors is made for coefficients of the basis 'open3'"):
            load_official_pack(OPEN_ASSETS / "expnet.safetensors")

    def test_strangers_in_a_file_are_listed(self, tmp_path):
        tensors = {f"audio2exp.{key}": tensor for key, tensor in component("audio2exp").items()}
        strangers = {"audio3exp.mapping.weight": torch.zeros(3), "extra": torch.zeros(1)}
        save_file(tensors | strangers, tmp_path / "odd.safetensors")
        with pytest.raises(WeightsError, match=r"odd.safetensors holds tensors of no known.*: audio3exp.*, extra\."):
            load_official_pack(tmp_path / "odd.safetensors")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda t: t | {"mapping1.weight": torch.zeros(64, 576)},
                r"Wrong shape: mapping1.weight: file \(64, 576\)",
            ),
            (lambda t: t | {"mapping1.weight": t["mapping1.weight"].int()}, r"file \(64, 577\) of int32, network"),
            (lambda t: t | {"mapping2.bias": t["mapping1.bias"]}, "Unexpected: mapping2.bias"),
        ],
    )
    def test_tensors_that_do_not_fit_are_listed_with_the_file(self, gather, change, message):
        folder = gather(*OLD_RELEASE[1:], CROP_MAPPING)
        torch.save({"model": change(component("audio2exp")), "epoch": 3}, folder / "changed.pth")
        with pytest.raises(WeightsError, match=rf"changed.pth does not fit the network ExpNet\..*{message}"):
            load_official_pack(folder / POSEVAE)

    @pytest.mark.parametrize(
        "name",
        [
            "audio2exp.mapping1.weight",
            "audio2pose.netG.decoder.classbias",
            "kp_extractor.predictor.conv.weight",
            "kp_extractor.down.weight",
            "generator.dense_motion_network.mask.weight",
            "generator.decoder.up_0.conv_s.weight_v",
            "face_3drecon.final_layers.6.weight",
        ],
    )
    def test_a_single_missing_tensor_is_named(self, files, tmp_path, name):
        tensors = dict(read_weights(files(SMALL)).tensors)
        del tensors[name]
        save_file(tensors, tmp_path / "less.safetensors")
        os.link(files(CROP_MAPPING), tmp_path / CROP_MAPPING)
        key = name.partition(".")[2].removeprefix("netG.").replace("weight_v", "weight")
        with pytest.raises(WeightsError, match=rf"less.safetensors does not fit.*Missing: {key}\."):
            load_official_pack(tmp_path / "less.safetensors")

    def test_a_mapping_network_of_another_width(self, gather):
        folder = gather(SMALL)
        wide = component("mapping_00229") | {"first.0.weight": torch.zeros(1024, 71, 7)}
        torch.save({"mapping": wide}, folder / "wide.pth")
        with pytest.raises(WeightsError, match=r"wide.pth does not fit.*first.0.weight: file \(1024, 71, 7\)"):
            load_official_pack(folder / SMALL)
