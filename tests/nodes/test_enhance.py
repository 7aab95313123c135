"""Load Face Restorer, Enhance and Detail Transfer inside the real host, with files as people have them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import folder_paths
import pytest
import torch
from comfy.model_patcher import ModelPatcher
from sadtalker_pack.nodes import enhance as nodes
from sadtalker_pack.nodes.host import host_pack
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError, WeightsError
from sadtalker_pack.sadtalker_core.finish.sharpen.restorer import FaceRestorer
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, Keypoints
from sadtalker_pack.tests.nodes.comfy_host import pack_nodes, run_node
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.render_networks import rule_renderer
from sadtalker_pack.tests.support.restorer_files import write_gfpgan
from spandrel.architectures.ESRGAN import ESRGAN
from torch import nn
from torch.nn import functional as F

CPU = torch.device("cpu")
OPTIONS = {"scale": 2.0, "weight": 1.0, "stability": 0.5, "batch_size": 4}


@pytest.fixture(scope="module")
def portrait(demo_picture):
    return demo_picture.permute(1, 2, 0)[None]


@pytest.fixture(scope="module")
def keypoints(pack, face):
    own = face.coefficients
    track = Coefficients(own.basis, 25, own.expression.repeat(3, 1), own.pose + torch.linspace(0, 0.1, 3)[:, None])
    return run_node("SadTalkerMappingNet", pack=pack, face=face, coefficients=track)[0]


@pytest.fixture(scope="module")
def frames(pack, face, keypoints):
    return run_node("SadTalkerFaceRender", pack=pack, face=face, keypoints=keypoints, batch_size=4)[0]


@pytest.fixture
def folder():
    """ComfyUI's folder of restorers, empty before and after."""
    path = Path(folder_paths.models_dir) / nodes.FOLDER
    path.mkdir(parents=True, exist_ok=True)
    yield path
    for file in path.iterdir():
        file.unlink()


class Sharpening(nn.Module):
    def forward(self, faces, **settings):
        return (2 * faces - F.avg_pool2d(F.pad(faces, (4,) * 4, mode="replicate"), 9, 1),)


@pytest.fixture(scope="module")
def restorer():
    network = FaceRestorer(Sharpening(), "RestoreFormer")
    return nodes.HostedRestorer(network, ModelPatcher(network, CPU, CPU))


def enhance(frames, **changes):
    return run_node("SadTalkerEnhance", frames=frames, **{**OPTIONS, **changes})[0]


def psnr(first, second):
    return -10 * math.log10((first - second).square().mean().item() + 1e-12)


class TestLoadRestorer:
    def test_lists_what_may_be_a_network(self, folder):
        for name in ("GFPGANv1.4.pth", "RestoreFormer.safetensors", "GFPGANv1.4.onnx", "notes.txt"):
            (folder / name).write_bytes(b"x")
        assert nodes.choices() == ["none", "GFPGANv1.4.pth", "RestoreFormer.safetensors"]

    def test_folders_of_others_stay(self, folder, tmp_path):
        known = folder_paths.folder_names_and_paths[nodes.FOLDER]
        folder_paths.folder_names_and_paths[nodes.FOLDER] = ([str(tmp_path)], {".pth"})
        try:
            for _ in range(2):
                nodes.register_folder()
            assert folder_paths.folder_names_and_paths[nodes.FOLDER] == ([str(tmp_path), str(folder)], {".pth"})
        finally:
            folder_paths.folder_names_and_paths[nodes.FOLDER] = known

    def test_a_file_that_is_gone_is_named_with_its_place(self, folder):
        message = pack_nodes()["SadTalkerLoadRestorer"].validate_inputs(restorer="GFPGANv1.4.pth")
        assert "GFPGANv1.4.pth" in message
        assert "models/facerestore_models" in message

    def test_another_file_is_refused(self, folder):
        (folder / "GFPGANv1.4.pth").write_bytes(b"<html>not found</html>")
        with pytest.raises(WeightsError, match=r"GFPGANv1\.4\.pth cannot be read"):
            run_node("SadTalkerLoadRestorer", restorer="GFPGANv1.4.pth")

    def test_a_changed_file_is_loaded_anew(self, folder):
        node = pack_nodes()["SadTalkerLoadRestorer"]
        (folder / "a.pth").write_bytes(b"x")
        before = node.fingerprint_inputs(restorer="a.pth")
        (folder / "a.pth").write_bytes(b"longer")
        assert before != node.fingerprint_inputs(restorer="a.pth")
        assert node.fingerprint_inputs(restorer="none") == ""

    @pytest.mark.slow
    def test_a_published_file_restores_a_frame(self, folder, frames):
        write_gfpgan(folder / "GFPGANv1.4.pth")
        restorer = run_node("SadTalkerLoadRestorer", restorer="GFPGANv1.4.pth")[0]
        restored = enhance(frames[:1], restorer=restorer)
        assert restored.shape == (1, 512, 512, 3)
        change = (restored - enhance(frames[:1])).abs()
        assert change.max() > 0.05
        assert change[:, :40].max() == 0


class TestEnhance:
    def test_restores(self, frames, restorer):
        restored, plain = enhance(frames, restorer=restorer), enhance(frames)
        assert restored.shape == plain.shape == (3, 512, 512, 3)
        assert (restored - plain).abs().max() > 0.05
        assert torch.equal(enhance(frames, restorer=restorer, weight=0.0), plain)

    def test_without_a_restorer_only_enlarges(self, frames):
        nothing = run_node("SadTalkerLoadRestorer", restorer="none")[0]
        assert torch.equal(enhance(frames, restorer=nothing), enhance(frames))
        assert torch.equal(enhance(frames, scale=1.0), frames)

    def test_upscale_model(self, frames, restorer):
        """As Load Upscale Model gives it, made smaller."""
        from comfy_extras.nodes_upscale_model import UpscaleModelLoader

        upscale_folder = Path(folder_paths.models_dir) / "upscale_models"
        upscale_folder.mkdir(parents=True, exist_ok=True)
        torch.save(ESRGAN(num_filters=8, num_blocks=1, scale=4).state_dict(), upscale_folder / "tiny.pth")
        model = UpscaleModelLoader.execute("tiny.pth").args[0]
        enlarged = enhance(frames, upscale_model=model)
        assert enlarged.shape == (3, 512, 512, 3)
        wanted = model(frames[:1].permute(0, 3, 1, 2)).clamp(0, 1)
        wanted = F.interpolate(wanted, (512, 512), mode="bicubic", antialias=True).clamp(0, 1)
        assert psnr(enlarged[:1].permute(0, 3, 1, 2), wanted) > 40
        both = enhance(frames, upscale_model=model, restorer=restorer)
        assert torch.equal(both[:, :40], enlarged[:, :40])
        assert not torch.equal(both, enlarged)

    def test_smaller_parts_and_batches_when_memory_is_short(self, frames, restorer, monkeypatch):
        tiles, batches = [], []

        class Upscaler:
            scale, model = 2, nn.Identity()

            def to(self, device):
                return self

            def __call__(self, tile):
                tiles.append(tile.shape[-1])
                if tile.shape[-1] > 128:
                    raise torch.cuda.OutOfMemoryError
                return F.interpolate(tile, scale_factor=2)

        def restore(faces):
            batches.append(len(faces))
            if len(faces) > 1:
                raise torch.cuda.OutOfMemoryError
            return faces

        monkeypatch.setattr(restorer.core, "forward", restore)
        assert enhance(frames, upscale_model=Upscaler(), restorer=restorer).shape == (3, 512, 512, 3)
        assert max(tiles) == 256
        assert tiles[-1] <= 128
        assert batches == [3, 2, 1, 1, 1]

    def test_no_face(self, restorer):
        with pytest.raises(FaceNotFoundError, match="None of the 2 frames shows a face"):
            enhance(torch.rand(2, 128, 128, 3), restorer=restorer)

    def test_what_is_no_image(self):
        with pytest.raises(SadTalkerError, match="Expected an IMAGE"):
            enhance(torch.rand(2, 128, 128, 1))

    def test_cancel(self, frames, restorer):
        from comfy import model_management

        model_management.interrupt_current_processing()
        with pytest.raises(model_management.InterruptProcessingException):
            enhance(frames, restorer=restorer)


class TestDetailTransfer:
    def transfer(self, pack, face, keypoints, frames, strength=1.0):
        return run_node(
            "SadTalkerDetailTransfer", pack=pack, face=face, keypoints=keypoints, frames=frames, strength=strength
        )[0]

    def test_frames_at_the_size_of_the_portrait(self, pack, face, keypoints, frames):
        detailed = self.transfer(pack, face, keypoints, frames)
        assert detailed.shape == (3, face.crop.bottom - face.crop.top, face.crop.right - face.crop.left, 3)
        assert detailed.diff(dim=2).square().mean() > 1.1 * enhance(frames, scale=1.45).diff(dim=2).square().mean()

    def test_pasted_back_a_portrait_at_rest_is_the_picture(self, pack, portrait, face, keypoints):
        still = Keypoints(keypoints.source, keypoints.source[None], 25)
        frame = run_node("SadTalkerFaceRender", pack=pack, face=face, keypoints=still, batch_size=1)[0]
        detailed = self.transfer(pack, face, still, frame)
        plain, sharp = (run_node("SadTalkerPasteBack", face=face, frames=each)[0] for each in (frame, detailed))
        assert psnr(sharp, portrait) > psnr(plain, portrait) + 6

    def test_frames_of_another_video(self, pack, face, keypoints, frames):
        with pytest.raises(SadTalkerError, match="each of the 3 sets of keypoints, got 2 frames"):
            self.transfer(pack, face, keypoints, frames[:2])

    @pytest.mark.slow
    def test_official_networks(self, pack, demo_picture):
        official = host_pack(replace(pack.core, basis="bfm09", renderer=rule_renderer(), vertices=None))
        small = F.interpolate(demo_picture[None, :, :512], (256, 256), mode="bilinear", antialias=True)[0]
        own = Coefficients("bfm09", 25, expression=torch.zeros(1, 64), pose=torch.zeros(1, 6))
        crop = Crop(0, 0, 512, 512, 256, 256)
        face = source_face(demo_picture, small, crop, torch.zeros(478, 3), torch.zeros(80), own)
        points = torch.rand(15, 3) - 0.5
        keypoints = Keypoints(points, points[None], 25)
        frames = run_node("SadTalkerFaceRender", pack=official, face=face, keypoints=keypoints, batch_size=1)[0]
        assert self.transfer(official, face, keypoints, frames).shape == (1, 512, 512, 3)
