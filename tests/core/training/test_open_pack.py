"""The real training, whole, on clips made here from the demo portrait and speech; two steps a network."""

import math
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.expnet.predict import predict_expression
from sadtalker_pack.sadtalker_core.face.morphable import load_morphable_model
from sadtalker_pack.sadtalker_core.flow import MelWindows
from sadtalker_pack.sadtalker_core.packs.open.load import load_expnet, load_posevae
from sadtalker_pack.sadtalker_core.training.__main__ import STAGES, parse_command
from sadtalker_pack.sadtalker_core.training.expnet import ExpNetTraining
from sadtalker_pack.sadtalker_core.training.open_pack import OpenPackTraining, build_open_pack, checkpoint_of
from sadtalker_pack.sadtalker_core.training.posevae import PoseVAETraining
from sadtalker_pack.sadtalker_core.training.tracks import CORPORA, read_tracks

FRAMES = 40
GRID_NAMES = ("bbaf2n", "lwbs9a", "pgiz1p")
"""The words of the clips are not those of their names; the stages run all the same."""


def write_clip(path, picture, speech):
    """A nodding, swaying portrait with the demo speech, 25 frames a second."""
    pixels = (picture * 255).byte().permute(1, 2, 0).numpy()
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 256, 256, "yuv420p"
        sound = container.add_stream("aac", 16000, layout="mono") if speech else None
        for number in range(FRAMES):
            shift = round(12 * math.sin(number / 6))
            view = np.ascontiguousarray(pixels[20 + shift : 404 + shift, 64 + shift : 448 + shift])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(256, 256)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            samples = speech.samples[: FRAMES * 640].numpy()[None]
            sound_frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout="mono")
            sound_frame.sample_rate = 16000
            container.mux(sound.encode(sound_frame))
            container.mux(sound.encode())


@pytest.fixture(scope="module")
def plan(tmp_path_factory, demo_picture, demo_speech, synthesiser):
    pytest.importorskip("pyworld")
    folder = tmp_path_factory.mktemp("training")
    for corpus, clips in (("grid_s1", 3), ("grid_multi", 1), ("motion", 2)):
        clip_folder = folder / CORPORA[corpus]
        clip_folder.mkdir(parents=True)
        for number in range(clips):
            speech = None if corpus == "motion" else demo_speech
            write_clip(clip_folder / f"{GRID_NAMES[number]}.mp4", demo_picture, speech)
    return OpenPackTraining(
        data=folder,
        cache=folder / "runs",
        out=folder / "pack",
        synthetic_utterances=2,
        flite_utterances=0,
        expnet=ExpNetTraining(falls=(1,), averaged=1, batch_size=16),
        posevae=PoseVAETraining(steps=2, batch_size=4, min_windows=1),
    )


@pytest.fixture(scope="module")
def figures(plan):
    return build_open_pack(plan, ("tracks", "morphable", "expnet", "posevae", "measure"))


@pytest.mark.slow
def test_every_stage_leaves_its_file_and_figures(plan, figures):
    assert {file.name for file in plan.out.iterdir()} == {
        "morphable.safetensors",
        "expnet.safetensors",
        "posevae.safetensors",
    }
    assert "opening correlation, other speakers" in figures
    assert sum(name.startswith("head spread, style") for name in figures) == figures["styles"]
    assert all(math.isfinite(value) for name, value in figures.items() if name.startswith(("expnet", "posevae")))


@pytest.mark.slow
def test_the_files_load_and_run(plan, figures):
    model = load_morphable_model(plan.out / "morphable.safetensors")
    basis = torch.cat((model.identity_basis, model.expression_basis)).flatten(1)
    assert torch.allclose(basis @ basis.T, torch.eye(144), atol=5e-3)
    expnet = load_expnet(plan.out / "expnet.safetensors").eval()
    expression = predict_expression(expnet, MelWindows(torch.zeros(3, 1, 80, 16), 25), torch.zeros(64), None)
    assert expression.shape == (3, 64)
    assert load_posevae(plan.out / "posevae.safetensors").config.styles == figures["styles"]


@pytest.mark.slow
def test_tracks_follow_the_face_and_silent_corpora_lend_no_voice(plan, figures):
    (clip, *_) = read_tracks(plan.data, plan.cache, "motion")
    nose = clip.points[:, 1]
    assert nose.shape == (FRAMES, 3)
    assert nose[:, 0].max() - nose[:, 0].min() == pytest.approx(24 * 256 / 384, abs=3)
    assert clip.waveform is None


@pytest.mark.slow
def test_a_second_run_tracks_nothing_again(plan, figures):
    before = {file: file.stat().st_mtime_ns for file in plan.cache.rglob("*.safetensors")}
    build_open_pack(plan, ("tracks", "expnet"))
    assert {file: file.stat().st_mtime_ns for file in plan.cache.rglob("*.safetensors")} == before


def test_the_bare_command_trains_with_the_defaults(tmp_path):
    plan, stages = parse_command(["open", "--data", str(tmp_path)])
    assert stages == STAGES
    assert plan.expnet == ExpNetTraining()
    assert plan.posevae == PoseVAETraining()
    assert plan.data == tmp_path


def test_the_command_takes_a_schedule_and_a_network(tmp_path):
    schedule = ["--expnet-falls", "20", "30", "--expnet-averaged", "5"]
    plan, _ = parse_command(["open", "--data", str(tmp_path), *schedule, "--expnet-from", "expnet.safetensors"])
    assert (plan.expnet.falls, plan.expnet.averaged) == ((20, 30), 5)
    assert plan.expnet_from == Path("expnet.safetensors")


def test_each_network_that_goes_on_has_its_own_checkpoint(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    assert len({checkpoint_of(tmp_path, "expnet", start) for start in (None, one, other)}) == 3
