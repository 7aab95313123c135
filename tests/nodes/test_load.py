"""Load Models and its folder, with the host's own list of folders."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import replace
from pathlib import Path

import folder_paths
import pytest
from comfy.model_patcher import ModelPatcher
from sadtalker_pack.nodes.load import FOLDER, OPEN, register_folders
from sadtalker_pack.sadtalker_core.errors import WeightsError
from sadtalker_pack.sadtalker_core.packs import table
from sadtalker_pack.sadtalker_core.packs.open.load import load_open_pack
from sadtalker_pack.sadtalker_core.packs.table import PackKind
from sadtalker_pack.tests.nodes.comfy_host import pack_nodes, run_node
from sadtalker_pack.tests.support.official_files import write_official_release

CHECKPOINT = "SadTalker_V0.0.2_256.safetensors"
MAPPING = "mapping_00229-model.pth.tar"


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """The host's folders as they were before the pack was loaded; gives an empty folder for models."""
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {**folder_paths.folder_names_and_paths})
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path / "models"))
    del folder_paths.folder_names_and_paths[FOLDER]
    yield tmp_path
    shutil.rmtree(tmp_path)  # the files are large, and pytest would keep them


@pytest.fixture
def models(folders):
    """The folder below the host's own."""
    register_folders()
    folder = folders / "models" / FOLDER
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_official_release(folder, 256)
    yield folder
    shutil.rmtree(folder)


def load_models():
    return pack_nodes()["SadTalkerLoadModels"]


def offered():
    return next(part.options for part in load_models().GET_SCHEMA().inputs if part.id == "model")


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def read_search_paths(config: Path) -> None:
    """As the host does at its start. Its module is loaded from its file: other packages are called 'utils' too."""
    source = Path(folder_paths.__file__).parent / "utils" / "extra_config.py"
    spec = importlib.util.spec_from_file_location("comfyui_extra_config", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load_extra_path_config(str(config))


class TestFolder:
    def test_without_files_there_is_the_open_pack(self, folders):
        register_folders()
        assert offered() == [OPEN]

    def test_lists_weights_alone(self, models):
        for name in (CHECKPOINT, MAPPING, "a.pth", "b.pt", "c.ckpt", "README.md", "x.json", "y.tar.txt", "old/d.PTH"):
            write(models / name)
        assert offered() == [OPEN, CHECKPOINT, "a.pth", "b.pt", "c.ckpt", MAPPING, os.path.join("old", "d.PTH")]

    def test_a_new_file_appears_without_a_restart(self, models):
        assert offered() == [OPEN]
        write(models / "a.pth")
        os.utime(models, (1, 1))  # a clock too coarse to tell would hide the change
        assert offered() == [OPEN, "a.pth"]

    @pytest.mark.parametrize("is_default", [False, True])
    @pytest.mark.parametrize("registered_first", [False, True])
    def test_extra_model_paths(self, folders, is_default, registered_first):
        config = write(
            folders / "extra_model_paths.yaml",
            f"mine:\n  base_path: {folders}\n  is_default: {is_default}\n  {FOLDER}: checkpoints/talking\n",
        )
        if registered_first:
            register_folders()
        read_search_paths(config)
        register_folders()
        write(folders / "checkpoints" / "talking" / "a.safetensors")
        write(folders / "checkpoints" / "talking" / "notes.txt")
        write(folders / "models" / FOLDER / "b.pth.tar")
        assert offered() == [OPEN, "a.safetensors", "b.pth.tar"]
        first = folder_paths.get_folder_paths(FOLDER)[0]
        assert Path(first).parent.name == ("models" if registered_first and not is_default else "checkpoints")


class TestValidation:
    def test_a_listed_file_passes(self, models):
        write(models / "a.pth")
        assert load_models().validate_inputs(model="a.pth", official_size="512") is True

    @pytest.mark.parametrize("model", ["gone.pth", "../secret.pth", "/etc/hosts.pt"])
    def test_no_other_file_does(self, models, model):
        write(models.parent / "secret.pth")
        message = load_models().validate_inputs(model=model, official_size="auto")
        assert message == f"model must be one of {OPEN}; got '{model}'."

    def test_sizes(self, models):
        assert "official_size must be one of auto, 256, 512" in load_models().validate_inputs(OPEN, "1024")


class TestFingerprint:
    def test_follows_the_files_that_are_read(self, models):
        chosen, mapping = write(models / "a.pth", "one"), write(models / MAPPING, "two")
        seen = [load_models().fingerprint_inputs("a.pth")]
        write(models / "notes.txt")
        assert load_models().fingerprint_inputs("a.pth", "512") == seen[0]
        for change in (
            lambda: write(chosen, "other"),
            lambda: os.utime(mapping, (1, 1)),
            lambda: write(models / "new.ckpt"),
            mapping.unlink,
        ):
            change()
            seen.append(load_models().fingerprint_inputs("a.pth"))
        assert len(set(seen)) == 5

    def test_of_the_open_pack_does_not_follow_them(self, models):
        before = load_models().fingerprint_inputs(OPEN)
        write(models / "a.pth")
        assert load_models().fingerprint_inputs(OPEN) == before != ""

    def test_of_a_file_that_is_gone(self, models):
        assert load_models().fingerprint_inputs("gone.pth") == ""

    def test_a_link_to_nowhere_is_passed_over(self, models):
        write(models / "a.pth")
        before = load_models().fingerprint_inputs("a.pth")
        os.symlink(models / "nowhere", models / "b.pth")
        assert load_models().fingerprint_inputs("a.pth") == before


class TestLoading:
    @pytest.fixture
    def installed(self, models, release):
        for path in release.iterdir():
            os.link(path, models / path.name)
        return models

    @pytest.mark.parametrize(("official_size", "side"), [("auto", 256), ("512", 512)])
    def test_an_official_release_makes_faces_of_its_own(self, installed, demo_picture, official_size, side):
        (pack,) = run_node("SadTalkerLoadModels", model=CHECKPOINT, official_size=official_size)
        assert pack.core.basis == "bfm09"
        assert pack.core.mapping.crop is not None
        assert pack.core.mapping.full is not None
        assert all(isinstance(patcher, ModelPatcher) for patcher in pack.patchers.values())
        image = demo_picture.permute(1, 2, 0)[None]
        face, _ = run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="full", size=512, face_index=0)
        assert face.cropped.shape == (3, side, side)
        assert face.coefficients.basis == "bfm09"
        assert face.coefficients.crop.shape == (1, 3)

    def test_the_size_may_be_left_out(self, installed):
        """Graphs for the API were saved before there was a choice."""
        assert run_node("SadTalkerLoadModels", model=OPEN)[0].core.name == "open"
        assert run_node("SadTalkerLoadModels", model=CHECKPOINT)[0].core.extractor.size == 256

    def test_a_damaged_file_is_named(self, installed):
        (installed / CHECKPOINT).unlink()
        write(installed / CHECKPOINT, "<!DOCTYPE html>")
        with pytest.raises(WeightsError, match=f"{CHECKPOINT} cannot be read as a safetensors file"):
            run_node("SadTalkerLoadModels", model=CHECKPOINT)

    def test_a_file_that_went_away_is_named(self, models):
        with pytest.raises(FileNotFoundError, match=r"gone\.pth"):
            run_node("SadTalkerLoadModels", model="gone.pth")


class TestAnotherPack:
    """A third pack is a row of the table; nothing else has to know it."""

    @pytest.fixture
    def seen(self, monkeypatch):
        calls = []

        def load(path, size):
            calls.append((path, size))
            return replace(load_open_pack(), name="third")

        kinds = (*table.KINDS, PackKind("third", "third_models", load), PackKind("fourth", None, load))
        monkeypatch.setattr(table, "KINDS", kinds)
        return calls

    def test_is_listed_and_loaded(self, folders, seen):
        register_folders()
        file = write(folders / "models" / "third_models" / "weights.safetensors")
        assert offered() == [OPEN, "fourth (built in)", "weights.safetensors"]
        for choice, path in (("weights.safetensors", file), ("fourth (built in)", None)):
            assert load_models().validate_inputs(model=choice) is True
            (pack,) = run_node("SadTalkerLoadModels", model=choice)
            assert pack.core.name == "third"
            assert seen[-1] == (path, None)

    def test_changes_with_its_files(self, folders, seen):
        register_folders()
        file = write(folders / "models" / "third_models" / "weights.safetensors")
        before = load_models().fingerprint_inputs(model="weights.safetensors")
        write(file, "more")
        assert before != load_models().fingerprint_inputs(model="weights.safetensors")
