"""Finished videos: folders, tables and comparisons, on the demo's own video."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.evaluation.__main__ import main
from sadtalker_pack.sadtalker_core.evaluation.compare import (
    NOT_OURS,
    PAPER_ROWS,
    comparison,
    comparison_table,
    paired_difference,
    paper_rows,
    read_evaluation,
)
from sadtalker_pack.sadtalker_core.evaluation.video import VideoFolders, evaluate_folder
from sadtalker_pack.sadtalker_core.evaluation.video_clips import read_film, videos_in
from sadtalker_pack.sadtalker_core.metrics.face_clip import at_model_rate, face_box, track_film
from sadtalker_pack.sadtalker_core.metrics.figure_table import Evaluation, as_json, figures_table, from_json, summary
from sadtalker_pack.sadtalker_core.metrics.metric_list import METRICS, all_figures
from sadtalker_pack.sadtalker_core.metrics.video_metrics import Measurement, MetricResources, MetricSet
from sadtalker_pack.tests.nodes.comfy_host import ROOT

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
FAST = ("diversity", "cpbd", "blinks", "lmd", "reconstruction", "speech_lag")


@pytest.fixture
def metrics(tmp_path):
    return MetricSet.make({name: METRICS[name] for name in FAST}, MetricResources(tmp_path, torch.device("cpu")))


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    shutil.copy(DEMO / "reference.mp4", folder / "anna.mp4")
    (folder / "bert.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture(scope="module")
def evaluation(videos, landmarker, tmp_path_factory):
    resources = MetricResources(tmp_path_factory.mktemp("weights"), torch.device("cpu"))
    return evaluate_folder(VideoFolders(videos, ground_truths=videos), landmarker, MetricSet.make(METRICS, resources))


def made_up(**values):
    """An evaluation whose clips a, b, c ... have the given values of each figure."""
    clips = len(next(iter(values.values())))
    return Evaluation(
        tuple(Measurement(chr(97 + i), {key: v[i] for key, v in values.items()}) for i in range(clips)),
        Measurement("all", {"fid": 12.5}),
    )


class TestFolder:
    def test_a_video_that_is_its_own_reference(self, evaluation):
        values = evaluation.clips[0].values
        assert values["lmd"] == pytest.approx(0, abs=1e-3)
        assert values["mouth_lmd"] == pytest.approx(0, abs=1e-3)
        assert values["psnr"] == 100
        assert values["ssim"] == pytest.approx(1, abs=1e-6)
        assert values["diversity"] > 3
        assert 0 < values["cpbd"] < 1

    def test_a_file_that_is_none_says_so_in_every_figure(self, evaluation):
        broken = evaluation.clips[1]
        assert broken.name == "bert"
        assert not broken.values
        assert set(broken.missing) == {figure.key for figure in all_figures()}
        assert "cannot be read as a video" in broken.missing["cpbd"]

    def test_what_needs_files_or_sound_is_not_measured(self, evaluation):
        missing = evaluation.clips[0].missing
        assert "syncnet_v2.model" in missing["lse_d"]
        assert "recognition_arcface_ir_se50.pth" in missing["csim"]
        assert "sound" in missing["mouth_lag"]
        assert "sound" in missing["beat_align"]
        assert not {"lse_d", "csim", "lpips", "mouth_lag"} & evaluation.clips[0].values.keys()

    def test_a_narrower_copy_differs(self, videos, landmarker, metrics, tmp_path):
        (tmp_path / "real").mkdir()
        shutil.copy(videos / "anna.mp4", tmp_path / "real")
        found = evaluate_folder(VideoFolders(tmp_path / "real"), landmarker, metrics)
        assert "a ground truth video" in found.clips[0].missing["lmd"]
        assert found.clips[0].values["diversity"] > 3

    def test_the_crop_is_square_inside_the_picture_and_holds_the_face(self, videos, landmarker):
        tracked = track_film(read_film(videos / "anna.mp4", seconds=1.0), landmarker)
        box = face_box(tracked)
        assert len(tracked.points) == 25
        assert box.right - box.left == box.bottom - box.top
        assert 0 <= box.left < box.right <= tracked.width
        assert tracked.points[..., 0].min() > box.left
        assert tracked.points[..., 1].max() < box.bottom

    def test_without_videos(self, tmp_path):
        with pytest.raises(SadTalkerError, match="folder of videos"):
            videos_in(tmp_path)

    def test_two_of_one_name(self, tmp_path):
        for suffix in ("mp4", "mov"):
            (tmp_path / f"a.{suffix}").touch()
        with pytest.raises(SadTalkerError, match="several called a"):
            videos_in(tmp_path)


@pytest.mark.parametrize("fps", [12.5, 25.0, 30.0, 50.0])
def test_any_rate_becomes_25_frames_a_second(fps):
    timed = ((number / fps, torch.tensor(number)) for number in range(round(4 * fps)))
    shown = [int(number) for number in at_model_rate(timed, fps, seconds=2.0)]
    assert len(shown) == 50
    assert shown == [int(slot / 25 * fps + 1e-6) for slot in range(50)]


class TestTables:
    def test_json_holds_all_there_is(self, evaluation):
        stored = json.loads(json.dumps(as_json(evaluation)))
        assert from_json(stored) == evaluation
        assert stored["means"]["cpbd"]["clips"] == 1

    def test_means_and_deviations(self):
        means = summary(made_up(cpbd=[0.2, 0.4]))
        assert means["cpbd"] == pytest.approx((0.3, 0.02**0.5, 2))
        assert means["fid"][0] == 12.5

    def test_every_figure_has_its_line(self, evaluation):
        table = figures_table(evaluation, evaluation)
        assert len(table.splitlines()) == 2 + len(all_figures())
        assert "not measured: needs syncnet_v2.model" in table
        assert "| CPBD ↑ | 0." in table


class TestCompare:
    def test_difference_of_pairs(self):
        ours = {name: value + 0.5 for name, value in zip("abcdefgh", range(8), strict=True)}
        theirs = dict(zip("abcdefgh", range(8), strict=True))
        found = paired_difference(ours, theirs)
        assert (found.mean, found.low, found.high, found.inputs) == pytest.approx((0.5, 0.5, 0.5, 8))

    def test_the_interval_holds_the_truth_about_as_often_as_it_says(self):
        random = np.random.default_rng(3)
        hits = 0
        for _ in range(200):
            ours = dict(enumerate(random.normal(0.3, 1, 40)))
            found = paired_difference(ours, dict.fromkeys(ours, 0.0))
            hits += found.low <= 0.3 <= found.high
        assert 0.88 <= hits / 200 <= 0.99

    def test_only_common_inputs_count(self):
        found = paired_difference({"a": 1.0, "b": 2.0, "x": 100.0}, {"a": 0.0, "b": 1.0, "y": -100.0})
        assert (found.mean, found.inputs) == (1.0, 2)
        assert np.isnan(paired_difference({"a": 1.0}, {"a": 0.0}).low)
        assert np.isnan(paired_difference({}, {"a": 0.0}).mean)

    def test_table(self):
        methods = {"one": made_up(cpbd=[0.2, 0.4, 0.3]), "two": made_up(cpbd=[0.3, 0.5, 0.4], lmd=[1.0, 2.0, 3.0])}
        table = comparison_table(methods)
        assert "| CPBD ↑ | 0.300 ± 0.100 | 0.400 ± 0.100 (+0.100, +0.100 … +0.100) |" in table
        assert "| LMD (% of the eyes' distance) ↓ | not measured | 2.00 ± 1.00 |" in table
        assert comparison(methods)["fid"]["two"]["mean"] == 12.5

    @pytest.mark.parametrize("table", json.loads(PAPER_ROWS.read_text(encoding="utf-8"))["tables"])
    def test_rows_of_the_paper_are_marked(self, table):
        rows = paper_rows(table)
        assert NOT_OURS in rows
        widths = {line.count("|") for line in rows.splitlines() if line.startswith("|")}
        assert len(widths) == 1

    def test_a_table_that_is_not_there(self):
        with pytest.raises(SadTalkerError, match="1, 2, 3, 4, A5, A6, A7; got '9'"):
            paper_rows("9")

    def test_results_that_are_none(self, tmp_path):
        with pytest.raises(SadTalkerError, match="evaluation video"):
            read_evaluation(tmp_path)
        (tmp_path / "video.json").write_text("{}")
        with pytest.raises(SadTalkerError, match="evaluation video"):
            read_evaluation(tmp_path)


def test_the_commands(videos, tmp_path, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, arguments)])
        main()
        return capsys.readouterr().out

    (tmp_path / "faces").mkdir()
    Image.open(DEMO / "portrait.jpg").save(tmp_path / "faces" / "anna.png")
    for name in ("ours", "theirs"):
        chosen = ("--sources", tmp_path / "faces", "--measures", "cpbd", "diversity", "--out", tmp_path / name)
        out = call("video", videos, *chosen)
        assert "| CPBD ↑ | 0." in out
    out = call("compare", tmp_path / "ours", tmp_path / "theirs", "--paper", "1", "--out", tmp_path)
    assert "| measure | ours | theirs |" in out
    assert "| SadTalker | 7.290 |" in out
    assert json.loads((tmp_path / "compare.json").read_text())["cpbd"]["ours"]["videos"] == 1
