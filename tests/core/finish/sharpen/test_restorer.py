"""Restoration files as people have them: published names and shapes, random weights."""

import pathlib

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError, WeightsError
from sadtalker_pack.sadtalker_core.finish.sharpen.restorer import FaceRestorer, load_restorer
from sadtalker_pack.tests.support.restorer_files import gfpgan, write_gfpgan, write_restoreformer
from safetensors.torch import save_file
from torch import nn

KINDS = {"GFPGAN": ("GFPGANv1.4.pth", write_gfpgan), "RestoreFormer": ("RestoreFormer.pth", write_restoreformer)}
MARK = "stylegan_decoder.style_mlp.1.weight"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_published_file_restores_a_face(kind, tmp_path):
    name, write = KINDS[kind]
    restorer = load_restorer(write(tmp_path / name))
    assert restorer.name == kind
    assert not any(module.training for module in restorer.modules())
    state = torch.get_rng_state()
    restored = restorer(torch.full((1, 3, 512, 512), 0.3))
    # GFPGAN draws noise at each call unless told otherwise, and frames would flicker.
    assert torch.equal(torch.get_rng_state(), state)
    assert restored.shape == (1, 3, 512, 512)
    assert torch.isfinite(restored).all()
    assert 0 <= restored.min() < restored.max() <= 1
    assert restored.std() > 0.01


class Recorder(nn.Module):
    """Gives back what it was given, and remembers it."""

    def forward(self, faces, **settings):
        self.given, self.settings = faces, settings
        return faces * 1.5, None


@pytest.mark.parametrize("kind", KINDS)
def test_networks_read_and_write_numbers_around_zero(kind):
    network = Recorder()
    faces = torch.linspace(0, 1, 3 * 512 * 512).reshape(1, 3, 512, 512)
    restored = FaceRestorer(network, kind)(faces)
    assert torch.allclose(network.given, faces * 2 - 1)
    assert torch.allclose(restored, (faces * 1.5 - 0.25).clamp(0, 1), atol=1e-6)
    assert network.settings.get("randomize_noise", False) is False


def test_faces_must_be_aligned():
    with pytest.raises(ShapeError, match="faces"):
        FaceRestorer(Recorder(), "GFPGAN")(torch.rand(1, 3, 256, 256))


class TestUnusableFile:
    def test_missing(self, tmp_path):
        with pytest.raises(WeightsError, match=r"GFPGANv1\.4\.pth is missing"):
            load_restorer(tmp_path / "GFPGANv1.4.pth")

    def test_another_network(self, tmp_path):
        save_file({"body.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
        with pytest.raises(WeightsError, match=r"other.safetensors holds no network that restores.*GFPGANv1\.4"):
            load_restorer(tmp_path / "other.safetensors")

    def test_another_version(self, tmp_path):
        """GFPGAN 1.0 has the same marks, and other layers."""
        torch.save({"params_ema": {"toRGB.0.weight": torch.zeros(3), MARK: torch.zeros(3)}}, tmp_path / "GFPGANv1.pth")
        with pytest.raises(WeightsError, match=r"GFPGANv1.pth does not fit the network.*GFPGANv1\.4"):
            load_restorer(tmp_path / "GFPGANv1.pth")

    def test_code_in_it_is_not_run(self, tmp_path):
        torch.save({"params_ema": {MARK: pathlib.PurePosixPath("x")}}, tmp_path / "GFPGANv1.4.pth")
        with pytest.raises(WeightsError, match="needs code to be run"):
            load_restorer(tmp_path / "GFPGANv1.4.pth")


def test_tensors_of_other_groups_are_left_out(tmp_path, monkeypatch):
    """Some files hold the network twice: its last state, and the mean over training, which is the better one."""
    seen = {}

    def load(self, tensors):
        seen.update(tensors)
        raise KeyError("enough")

    monkeypatch.setattr("sadtalker_pack.sadtalker_core.finish.sharpen.restorer.ModelLoader.load_from_state_dict", load)
    groups = {"params": {MARK: torch.zeros(1)}, "params_ema": {MARK: torch.ones(1), "toRGB.0.weight": torch.ones(1)}}
    torch.save(groups, tmp_path / "GFPGANv1.3.pth")
    with pytest.raises(WeightsError):
        load_restorer(tmp_path / "GFPGANv1.3.pth")
    assert set(seen) == {MARK, "toRGB.0.weight"}
    assert seen[MARK] == 1


def test_the_file_written_here_has_the_published_names():
    assert {MARK, "toRGB.0.weight", "conv_body_first.weight", "stylegan_decoder.noises.noise0"} <= set(
        gfpgan().state_dict()
    )
