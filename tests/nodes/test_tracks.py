"""Tracks edited, mixed, saved, loaded and drawn, with the open pack and with the official one's extractor."""

from __future__ import annotations

import folder_paths
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, TrackError
from sadtalker_pack.sadtalker_core.flow import Coefficients, Keypoints
from sadtalker_pack.sadtalker_core.tracks.files import read_coefficients, write_coefficients, write_mat
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
EDIT = {
    "expression_scale": 1.0,
    "pose_scale": 1.0,
    "pitch": 0.0,
    "yaw": 0.0,
    "roll": 0.0,
    "expression_smoothing": 0.0,
    "pose_smoothing": 0.0,
    "speed": 1.0,
    "fps": 0.0,
    "frames": 0,
    "extension": "hold",
}
MIX = {"way": "blend", "part": "everything", "weight": 0.5, "overlap": 0.4}


def track(frames=10, fps=25.0, basis="open3"):
    return Coefficients(basis, fps, torch.randn(frames, 64), torch.randn(frames, 6))


class TestEdit:
    def edit(self, coefficients, mel=None, face=None, **changes):
        return run_node(
            "SadTalkerEditCoefficients", coefficients=coefficients, mel=mel, face=face, **{**EDIT, **changes}
        )[0]

    def test_as_it_comes_it_changes_nothing(self):
        given = track()
        edited = self.edit(given)
        assert torch.equal(edited.expression, given.expression)
        assert torch.equal(edited.pose, given.pose)

    def test_speech_decides_rate_and_length(self, mel, face):
        edited = self.edit(track(17, 30.0), mel, extension="ping-pong", fps=60.0, frames=5)
        assert (len(edited), edited.fps) == (len(mel), mel.fps)
        assert run_node("SadTalkerCombineCoefficients", expression=edited, pose=edited)

    def test_portrait_is_what_a_scale_of_nought_gives(self, face):
        edited = self.edit(track(), face=face, expression_scale=0.0, pose_scale=0.0)
        assert torch.equal(edited.expression, face.coefficients.expression.expand(10, -1))
        assert torch.equal(edited.pose, face.coefficients.pose.expand(10, -1))

    def test_broken_track(self):
        broken = track()
        broken.expression[3, 3] = torch.nan
        with pytest.raises(TrackError, match="first in frame 3"):
            self.edit(broken)


class TestMix:
    def mix(self, first, second, pack=None, **changes):
        return run_node("SadTalkerMixCoefficients", first=first, second=second, pack=pack, **{**MIX, **changes})[0]

    def test_ways(self):
        first, second = track(), track()
        assert torch.allclose(self.mix(first, second).pose, (first.pose + second.pose) / 2, atol=1e-6)
        assert len(self.mix(first, second, way="crossfade", overlap=0.2)) == 15
        assert len(self.mix(first, second, way="concatenate")) == 20

    def test_part_of_the_face(self, pack):
        first, second = track(), track()
        mixed = self.mix(first, second, pack, part="eyes", weight=1.0)
        assert torch.equal(mixed.pose, first.pose)
        assert not torch.equal(mixed.expression, first.expression)

    def test_part_of_the_face_without_vertices(self, official_pack):
        first, second = track(basis="bfm09"), track(basis="bfm09")
        for pack in (None, official_pack):
            with pytest.raises(TrackError, match="official ones do not"):
                self.mix(first, second, pack, part="mouth")

    def test_lengths_differ(self):
        with pytest.raises(TrackError, match="10 and 12 frames"):
            self.mix(track(), track(12))


class TestFiles:
    @pytest.fixture(autouse=True)
    def folders(self, tmp_path, monkeypatch):
        for name in ("input", "output"):
            (tmp_path / name).mkdir()
            monkeypatch.setattr(folder_paths, f"{name}_directory", str(tmp_path / name))
        self.input, self.output = tmp_path / "input", tmp_path / "output"

    def save(self, coefficients, prefix="SadTalker/x", format="safetensors", pack=None):
        return run_node(
            "SadTalkerSaveCoefficients", coefficients=coefficients, filename_prefix=prefix, format=format, pack=pack
        )[0]

    def test_saved_files_can_be_loaded(self):
        given = track(fps=30.0)
        assert self.save(given) is given
        (saved,) = self.output.rglob("*.*")
        assert saved.relative_to(self.output).as_posix() == "SadTalker/x_00001_.safetensors"
        saved.rename(self.input / "mine.safetensors")
        loaded = run_node("SadTalkerLoadCoefficients", file="mine.safetensors")[0]
        assert (loaded.fps, loaded.basis) == (30.0, "open3")
        assert torch.equal(loaded.pose, given.pose)

    def test_nothing_is_overwritten(self):
        for _ in range(3):
            self.save(track())
        self.save(track(), format="csv")
        assert sorted(path.name for path in self.output.rglob("*.*")) == [
            "x_00001_.safetensors", "x_00002_.safetensors", "x_00003_.safetensors", "x_00004_.csv"
        ]  # fmt: skip

    @pytest.mark.parametrize("prefix", ["../outside", "{folder}/outside", "a/../../outside", "", " "])
    def test_never_outside_the_output_folder(self, prefix, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(TrackError, match="in the output folder"):
            self.save(track(), prefix.format(folder=tmp_path))
        assert sorted(tmp_path.rglob("*")) == before

    def test_table_with_openings(self, pack):
        self.save(track(), format="csv", pack=pack)
        (table,) = self.output.rglob("*.csv")
        header, *lines = table.read_text("utf-8").splitlines()
        assert header == "frame,time,pitch,yaw,roll,x,y,z,mouth_opening,eye_opening"
        assert len(lines) == 10

    def test_table_of_the_official_pack(self, official_pack):
        self.save(track(basis="bfm09"), format="csv", pack=official_pack)
        (table,) = self.output.rglob("*.csv")
        assert table.read_text("utf-8").splitlines()[0] == "frame,time,pitch,yaw,roll,x,y,z,expression"

    def test_mat_file_of_the_original(self):
        given = track(basis="bfm09")
        self.save(given, format="mat")
        (saved,) = self.output.rglob("*.mat")
        assert torch.equal(read_coefficients(saved).expression, given.expression)
        with pytest.raises(TrackError, match="bfm09"):
            self.save(track(), format="mat")

    def test_broken_tracks_leave_no_file(self):
        broken = track()
        broken.pose[0, 0] = torch.inf
        for kind in ("safetensors", "mat", "csv"):
            with pytest.raises(TrackError, match="NaN"):
                self.save(broken, format=kind)
        assert list(self.output.rglob("*")) == []

    def test_list_of_files(self):
        from sadtalker_pack.nodes.files import choices

        write_coefficients(track(), self.input / "b.safetensors")
        write_mat(track(basis="bfm09"), self.input / "a.mat")
        (self.input / "picture.png").write_bytes(b"")
        assert choices() == ["a.mat", "b.safetensors"]

    @pytest.mark.parametrize("file", ["gone.mat", "../output/x.safetensors", "/etc/passwd"])
    def test_other_files_are_refused(self, file):
        from sadtalker_pack.tests.nodes.comfy_host import pack_nodes

        write_coefficients(track(), self.output / "x.safetensors")
        with pytest.raises(TrackError, match="in the input folder"):
            run_node("SadTalkerLoadCoefficients", file=file)
        assert pack_nodes()["SadTalkerLoadCoefficients"].validate_inputs(file=file) is not True

    def test_a_changed_file_is_read_again(self):
        from sadtalker_pack.tests.nodes.comfy_host import pack_nodes

        fingerprint = pack_nodes()["SadTalkerLoadCoefficients"].fingerprint_inputs
        write_coefficients(track(4), self.input / "x.safetensors")
        before = fingerprint(file="x.safetensors")
        write_coefficients(track(5), self.input / "x.safetensors")
        assert fingerprint(file="x.safetensors") != before
        assert fingerprint(file="gone.safetensors") == ""


class TestPreview:
    def test_picture(self, pack, audio):
        plot = run_node(
            "SadTalkerPreviewCoefficients",
            coefficients=read_coefficients(DEMO / "reference.safetensors"),
            width=1024,
            height=512,
            audio=audio,
            pack=pack,
        )[0]
        assert plot.shape == (1, 512, 1024, 3)
        assert 0 <= float(plot.min()) < float(plot.max()) <= 1

    def test_official_track(self, official_pack):
        given = {"coefficients": track(basis="bfm09"), "width": 800, "height": 400}
        alone, packed = (
            run_node("SadTalkerPreviewCoefficients", **given, **more)[0] for more in ({}, {"pack": official_pack})
        )
        assert torch.equal(alone, packed)

    def test_pack_of_another_basis(self, pack):
        with pytest.raises(BasisMismatchError):
            run_node("SadTalkerPreviewCoefficients", coefficients=track(basis="bfm09"), width=800, height=400,
                     pack=pack)  # fmt: skip


@pytest.mark.parametrize("count", [478, 15])
def test_keypoints_of_both_packs_are_drawn(count):
    random = torch.Generator().manual_seed(0)
    source = torch.randn(count, 3, generator=random)
    keypoints = Keypoints(source, source + 0.02 * torch.randn(4, count, 3, generator=random), 30.0)
    frames, fps = run_node("SadTalkerPreviewKeypoints", keypoints=keypoints, size=128, swing=20.0)
    assert frames.shape == (4, 128, 128, 3)
    assert fps == 30
    assert frames.std() > 0.02
