"""What is written can be read, and files that hold something else are refused by name; nothing in them runs."""

import csv
import pickle
from contextlib import suppress

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import TrackError
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.tracks.channels import channels
from sadtalker_pack.sadtalker_core.tracks.files import (
    FORMAT,
    read_coefficients,
    write_coefficients,
    write_mat,
    write_table,
)
from sadtalker_pack.sadtalker_core.tracks.matlab import read_matrix
from safetensors.torch import load_file, save_file
from scipy.io import loadmat, savemat


def track(frames=5, fps=25.0, basis="bfm09", crop=False):
    return Coefficients(
        basis, fps, torch.randn(frames, 64), torch.randn(frames, 6), torch.rand(frames, 3) if crop else None
    )


class TestSafetensors:
    @pytest.mark.parametrize("fps", [25.0, 29.97, 30000 / 1001])
    @pytest.mark.parametrize("crop", [False, True])
    def test_round_trip_to_the_last_bit(self, tmp_path, fps, crop):
        given = track(fps=fps, crop=crop, basis="open3")
        write_coefficients(given, tmp_path / "x.safetensors")
        read = read_coefficients(tmp_path / "x.safetensors")
        assert (read.basis, read.fps) == ("open3", fps)
        assert torch.equal(read.expression, given.expression)
        assert torch.equal(read.pose, given.pose)
        assert torch.equal(read.crop, given.crop) if crop else read.crop is None

    @pytest.mark.parametrize("stream", ["expression", "pose"])
    def test_one_stream(self, tmp_path, stream):
        given = Coefficients("open3", 25.0, **{stream: torch.randn(4, 64 if stream == "expression" else 6)})
        write_coefficients(given, tmp_path / "x.safetensors")
        read = read_coefficients(tmp_path / "x.safetensors")
        assert torch.equal(getattr(read, stream), getattr(given, stream))
        assert (read.expression is None) == (stream == "pose")

    def test_views_are_written_whole(self, tmp_path):
        held = Coefficients("open3", 25.0, pose=torch.randn(1, 6).expand(9, -1))
        write_coefficients(held, tmp_path / "x.safetensors")
        assert torch.equal(read_coefficients(tmp_path / "x.safetensors").pose, held.pose)

    def test_nan_is_not_written(self, tmp_path):
        with pytest.raises(TrackError, match="NaN"):
            write_coefficients(
                Coefficients("open3", 25.0, pose=torch.full((2, 6), torch.nan)), tmp_path / "x.safetensors"
            )
        assert not (tmp_path / "x.safetensors").exists()

    @pytest.mark.parametrize(
        ("tensors", "metadata", "message"),
        [
            ({"weight": torch.zeros(2)}, None, "not written by Save Coefficients"),
            ({"pose": torch.zeros(2, 7)}, {"format": FORMAT, "basis": "open3", "fps": "25"}, r"\(T, 6\), got \(2, 7\)"),
            ({"pose": torch.zeros(2, 6)}, {"format": FORMAT, "basis": "open3", "fps": "0"}, "frame rate"),
            ({"pose": torch.full((2, 6), torch.nan)}, {"format": FORMAT, "basis": "open3", "fps": "25"}, "NaN"),
            ({"other": torch.zeros(2, 6)}, {"format": FORMAT, "basis": "open3", "fps": "25"}, "neither"),
            ({"pose": torch.zeros(0, 6)}, {"format": FORMAT, "basis": "open3", "fps": "25"}, "no frames"),
        ],
    )
    def test_other_content(self, tmp_path, tensors, metadata, message):
        save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
        with pytest.raises(TrackError, match=rf"x.safetensors contains no usable coefficients.*{message}"):
            read_coefficients(tmp_path / "x.safetensors")

    @pytest.mark.parametrize("metadata", [{"format": FORMAT}, {"format": FORMAT, "basis": "open3", "fps": "fast"}])
    def test_metadata_that_lack_a_fact(self, tmp_path, metadata):
        save_file({"pose": torch.zeros(2, 6)}, tmp_path / "x.safetensors", metadata=metadata)
        with pytest.raises(TrackError, match="basis or frame rate"):
            read_coefficients(tmp_path / "x.safetensors")

    def test_cut_short(self, tmp_path):
        write_coefficients(track(), tmp_path / "x.safetensors")
        content = (tmp_path / "x.safetensors").read_bytes()
        (tmp_path / "x.safetensors").write_bytes(content[: len(content) // 2])
        with pytest.raises(TrackError, match="incomplete"):
            read_coefficients(tmp_path / "x.safetensors")


class TestMat:
    @pytest.mark.parametrize("crop", [False, True])
    def test_round_trip(self, tmp_path, crop):
        given = track(crop=crop)
        write_mat(given, tmp_path / "x.mat")
        rows = loadmat(tmp_path / "x.mat")["coeff_3dmm"]
        assert rows.shape == (5, 73 if crop else 70)
        read = read_coefficients(tmp_path / "x.mat")
        assert (read.basis, read.fps) == ("bfm09", 25.0)
        assert torch.equal(read.expression, given.expression)
        assert torch.equal(read.pose, given.pose)
        assert torch.equal(read.crop, given.crop) if crop else read.crop is None

    @pytest.mark.parametrize("compressed", [False, True])
    def test_a_file_of_the_original(self, tmp_path, compressed):
        """Its portrait files: one row of 73 numbers, and all 257 of the regressor beside it."""
        row = np.arange(73, dtype=np.float64)[None]
        content = {"coeff_3dmm": row, "full_3dmm": np.zeros((1, 257), np.float32)}
        savemat(tmp_path / "x.mat", content, do_compression=compressed)
        read = read_coefficients(tmp_path / "x.mat")
        assert read.expression[0].tolist() == list(range(64))
        assert read.pose[0].tolist() == list(range(64, 70))
        assert read.crop[0].tolist() == [70, 71, 72]

    def test_other_bases_are_not_written(self, tmp_path):
        with pytest.raises(TrackError, match="'bfm09'.*'open3'.*safetensors"):
            write_mat(track(basis="open3"), tmp_path / "x.mat")

    def test_incomplete_tracks_are_not_written(self, tmp_path):
        with pytest.raises(TrackError, match="no expression stream"):
            write_mat(Coefficients("bfm09", 25.0, pose=torch.zeros(2, 6)), tmp_path / "x.mat")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"other": np.zeros((2, 73))}, "matrix named 'coeff_3dmm'; this file has none"),
            ({"coeff_3dmm": np.zeros((2, 64))}, r"70 or 73 .* shape \(2, 64\)"),
            ({"coeff_3dmm": np.zeros((2, 3, 73))}, r"shape \(2, 3, 73\)"),
            ({"coeff_3dmm": np.zeros((0, 73))}, "no frames"),
            ({"coeff_3dmm": np.full((2, 73), np.nan)}, "NaN"),
            ({"coeff_3dmm": "a text"}, "has none"),
            ({"coeff_3dmm": np.array([{"a": 1}], dtype=object)}, "has none"),
            ({"coeff_3dmm": np.zeros((2, 73), np.complex64) + 1j}, "has none"),
        ],
    )
    def test_other_content(self, tmp_path, content, message):
        savemat(tmp_path / "x.mat", content)
        with pytest.raises(TrackError, match=rf"x.mat contains no usable coefficients.*{message}"):
            read_coefficients(tmp_path / "x.mat")

    @pytest.mark.parametrize("content", [b"", b"no mat file at all " * 20, b"MATLAB 7.3 MAT-file" + bytes(109 + 512)])
    def test_no_mat_file(self, tmp_path, content):
        (tmp_path / "x.mat").write_bytes(content)
        with pytest.raises(TrackError, match="contains no usable coefficients"):
            read_coefficients(tmp_path / "x.mat")

    def test_hdf5_files_of_matlab_7_3(self, tmp_path):
        header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
        (tmp_path / "x.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(600))
        with pytest.raises(TrackError, match="up to version 7 "):
            read_coefficients(tmp_path / "x.mat")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_cut_short(self, tmp_path, share):
        write_mat(track(50), tmp_path / "x.mat")
        content = (tmp_path / "x.mat").read_bytes()
        (tmp_path / "x.mat").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(TrackError, match="incomplete"):
            read_coefficients(tmp_path / "x.mat")

    @pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", ">i4", "u1"])
    def test_matrices_of_any_numbers_are_read_as_scipy_reads_them(self, tmp_path, dtype):
        rows = (np.arange(3 * 73) % 100).reshape(3, 73).astype(dtype)
        savemat(tmp_path / "x.mat", {"before": np.ones((4, 5)), "coeff_3dmm": rows, "text": "after"})
        read = read_matrix((tmp_path / "x.mat").read_bytes(), "coeff_3dmm")
        assert np.array_equal(read, loadmat(tmp_path / "x.mat")["coeff_3dmm"])

    def test_damaged_bytes_are_refused_or_harmless(self, tmp_path):
        """Scipy's own reader ends the process on some of these."""
        write_mat(track(20), tmp_path / "x.mat")
        content, chance = (tmp_path / "x.mat").read_bytes(), np.random.default_rng(0)
        for _ in range(400):
            damaged = bytearray(content)
            for place in chance.integers(0, chance.choice((200, len(content))), chance.integers(1, 6)):
                damaged[place] = chance.integers(256)
            (tmp_path / "x.mat").write_bytes(damaged)
            with suppress(TrackError):
                assert read_coefficients(tmp_path / "x.mat").expression.shape[1] == 64

    def test_a_pickle_under_that_name_is_not_opened(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        (tmp_path / "x.mat").write_bytes(pickle.dumps(Bomb()).ljust(300, b"."))
        with pytest.raises(TrackError, match="contains no usable coefficients"):
            read_coefficients(tmp_path / "x.mat")
        assert not (tmp_path / "ran").exists()


class TestOtherFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(TrackError, match="no file gone.mat"):
            read_coefficients(tmp_path / "gone.mat")

    def test_other_kinds(self, tmp_path):
        (tmp_path / "x.npy").write_bytes(b"")
        with pytest.raises(TrackError, match=r"x.npy: .* \.safetensors and \.mat files"):
            read_coefficients(tmp_path / "x.npy")

    def test_capital_suffix(self, tmp_path):
        write_mat(track(), tmp_path / "X.MAT")
        assert len(read_coefficients(tmp_path / "X.MAT")) == 5


def test_table(tmp_path):
    given = Coefficients("bfm09", 30.0, pose=torch.tensor([[0.1, -0.2, 0.3, 1.0, 2.0, 3.0]]).expand(3, -1))
    write_table(channels(given), tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frame", "time", "pitch", "yaw", "roll", "x", "y", "z"]
    assert [row["frame"] for row in rows] == ["0", "1", "2"]
    assert [float(row["time"]) for row in rows] == pytest.approx([0, 1 / 30, 2 / 30], abs=1e-4)
    assert float(rows[2]["yaw"]) == pytest.approx(-11.4592, abs=1e-4)
    assert float(rows[2]["z"]) == 3.0


def test_the_demo_file_is_what_the_current_code_writes(tmp_path):
    from sadtalker_pack.tests.conftest import DEMO

    demo = read_coefficients(DEMO / "reference.safetensors")
    write_coefficients(demo, tmp_path / "again.safetensors")
    before, after = load_file(DEMO / "reference.safetensors"), load_file(tmp_path / "again.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (len(demo), demo.fps, demo.basis) == (120, 30.0, "open3")
