"""The whole evaluation on a clip whose answer is known: its mouth is the one that the pack itself makes."""

import json
import sys
from dataclasses import replace

import av
import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.evaluation import clips as clips_module
from sadtalker_pack.sadtalker_core.evaluation import motion
from sadtalker_pack.sadtalker_core.evaluation.__main__ import main
from sadtalker_pack.sadtalker_core.evaluation.clips import head_angles, read_clips
from sadtalker_pack.sadtalker_core.evaluation.motion import MEASURES, ClipMouth, MouthFigures, measure_motion
from sadtalker_pack.sadtalker_core.evaluation.motion_table import motion_rows
from sadtalker_pack.sadtalker_core.evaluation.phonemes import PhonemeFigures
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.flow import Waveform
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.pipeline import TalkingHeadOptions, predict_coefficients
from safetensors.torch import load_file, save_file

FRAMES, DELAY = 60, 2


@pytest.fixture(scope="module")
def folder(pack, demo_picture, demo_speech, tmp_path_factory):
    """Clips ``punctual`` and ``late`` (its sound comes two frames after its picture), with their tracks."""
    folder = tmp_path_factory.mktemp("clips")
    face = extract_face(pack.landmarker, pack.extractor, demo_picture)
    samples = demo_speech.samples[: FRAMES * 640]
    options = TalkingHeadOptions(blink=False, still=True)
    coefficients = predict_coefficients(pack, face, mel_windows(Waveform(samples)), options)
    points = pack.mapping.keypoints(face, coefficients).driving
    points = torch.cat((face.landmarks[None], points))[:FRAMES]  # the first frame is the portrait itself
    late = torch.cat((torch.zeros(DELAY * 640), samples))[: len(samples)]
    early = torch.cat((torch.zeros(640), samples))[: len(samples)]
    size = torch.tensor([face.crop.width, face.crop.height])
    for name, sound in (("punctual", early), ("late", late)):
        (folder / "clips" / name).with_suffix(".mp4").parent.mkdir(exist_ok=True)
        write_video((folder / "clips" / name).with_suffix(".mp4"), face.cropped, 6)
        (folder / "tracks").mkdir(exist_ok=True)
        stored = {"points": points.contiguous(), "size": size, "samples": (sound * 32767).to(torch.int16)}
        save_file(stored, folder / "tracks" / f"{name}.safetensors")
    return folder


def write_video(path, picture, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = picture.shape[2], picture.shape[1], "yuv420p"
        pixels = (picture.clamp(0, 1) * 255).byte().permute(1, 2, 0).contiguous().numpy()
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def clips(folder):
    return read_clips(folder / "clips", folder / "tracks")


def test_the_pack_agrees_with_itself(pack, clips):
    figures = measure_motion(pack, [clips[1]], ["mouth"])["mouth"]
    assert [clip.name for clip in figures.clips] == ["punctual"]
    assert figures.correlation > 0.98
    assert figures.spread == pytest.approx(1, abs=0.05)
    assert figures.best_lag == 0


def test_late_sound_shows_as_lag(pack, clips):
    figures = measure_motion(pack, [clips[0]], ["mouth"])["mouth"]
    assert figures.best_lag == figures.clips[0].best_lag == DELAY - 1
    (punctual,) = measure_motion(pack, [clips[1]], ["mouth"])["mouth"].clips
    assert figures.clips[0].loudness_best_lag == punctual.loudness_best_lag + DELAY - 1
    assert figures.correlation < figures.best_lag_correlation


def test_a_still_head_has_no_diversity(pack, clips, monkeypatch):
    monkeypatch.setattr(motion, "TAKES", 2)
    figures = measure_motion(pack, clips[:1], ["head"])["head"]
    assert figures.real_diversity.mean < 0.2  # a speaking mouth shakes the fit a little
    assert figures.diversity.mean > 0.3
    assert figures.beat_align is None or 0 < figures.beat_align < 1


def test_a_style_is_measured_by_itself(pack, clips, monkeypatch):
    monkeypatch.setattr(motion, "TAKES", 4)
    calm, lively, both = (
        measure_motion(pack, clips[1:], ["head"], styles)["head"].diversity.mean for styles in ([5], [8], [5, 8])
    )
    assert calm < both < lively  # a reader of GRID and an actor
    with pytest.raises(SadTalkerError, match="pose style"):
        measure_motion(pack, clips[:1], ["head"], [99])


def test_figures_and_table_of_the_command(folder, tmp_path, monkeypatch, capsys):
    arguments = ["--clips", folder / "clips", "--tracks", folder / "tracks", "--out", tmp_path, "--measures", "mouth"]
    monkeypatch.setattr(sys, "argv", ["evaluation", "motion", *map(str, arguments), "silence"])
    main()
    report = json.loads((tmp_path / "motion.json").read_text(encoding="utf-8"))
    assert report["pack"] == "open"
    assert {clip["name"] for clip in report["mouth"]["clips"]} == {"late", "punctual"}
    assert set(report["silence"]) == {"digital", "digital_worst", "noise", "noise_worst"}
    assert report["silence"]["digital"] <= report["silence"]["digital_worst"]
    table = (tmp_path / "motion.md").read_text(encoding="utf-8")
    assert table.strip() in capsys.readouterr().out
    assert f"| {report['mouth']['correlation']:.3f} |" in table
    assert f"loudness-driven mouth {report['mouth']['loudness_correlation']:.3f}" in table


def test_the_corpus_of_the_training_speaker_asks_for_more():
    clip = ClipMouth("one", 0.5, 0, 1.0, 0.4, 0)
    figures = MouthFigures(0.5, 0, 0.5, 1.0, 0.4, 0, {0: 0.5}, [clip])
    assert motion_rows({"mouth": figures})[0].holds
    assert not motion_rows({"mouth": figures}, same_corpus=True)[0].holds
    louder = replace(figures, loudness_correlation=0.6)
    assert not motion_rows({"mouth": louder})[0].holds  # a puppet does better


def test_without_librosa_the_head_is_still_measured(pack, clips, monkeypatch):
    def missing(_):
        raise NotMeasuredError("librosa (pip install librosa)")

    monkeypatch.setattr(motion, "TAKES", 1)
    monkeypatch.setattr(motion, "speech_onsets", missing)
    results = measure_motion(pack, clips[:1], ["head"])
    beat, diversity = motion_rows(results)
    assert beat.value.startswith("not measured: needs librosa")
    assert beat.holds is None
    assert diversity.holds is False


def test_what_cannot_be_measured_says_what_it_needs(pack, clips, monkeypatch):
    def missing(*_):
        raise NotMeasuredError("a dog (pip install dog)")

    monkeypatch.setitem(MEASURES, "identity", missing)
    results = measure_motion(pack, clips, ["identity"])
    assert results == {"identity": "not measured: needs a dog (pip install dog)"}
    assert motion_rows(results)[0].value == "not measured: needs a dog (pip install dog)"
    assert motion_rows(results)[0].holds is None


def test_phonemes_are_spoken_and_looked_at(pack, clips, monkeypatch):
    monkeypatch.setattr(motion, "EVALUATION_VOICES", motion.EVALUATION_VOICES[:1])
    monkeypatch.setattr(motion, "sentences_for", lambda voice: ("Bob and Pam saw a very happy father.",))
    figures = measure_motion(pack, clips, ["phonemes"])["phonemes"]
    if isinstance(figures, str):
        pytest.skip(figures)
    assert isinstance(figures, PhonemeFigures)
    assert figures.lips_closed_cases >= 4
    assert figures.open_over_close_pairs > 0
    assert 0 <= figures.lips_closed <= 1


def test_a_portrait_that_does_not_move_keeps_its_identity(pack, clips):
    figures = measure_motion(pack, clips[:1], ["identity"])["identity"]
    if isinstance(figures, str):
        pytest.skip(figures)
    assert figures.neighbours > 0.99  # the film shows one picture
    assert 0.9 < figures.rendered <= 1
    assert figures.frames_without_face == 0


def test_clips_are_tracked_once(folder, tmp_path, monkeypatch):
    tracked = []

    def track(path):
        tracked.append(path.stem)
        return load_file(folder / "tracks" / f"{path.stem}.safetensors")

    monkeypatch.setattr(clips_module, "track_video", track)
    for _ in range(2):
        assert len(read_clips(folder / "clips", tmp_path)) == 2
    assert tracked == ["late", "punctual"]
    assert len(read_clips(folder / "clips", tmp_path, every=2)) == 1


def test_a_folder_without_clips(tmp_path):
    with pytest.raises(SadTalkerError, match="Expected a folder of clips that show a face"):
        read_clips(tmp_path)


def test_frames_without_a_face_repeat_the_nearest_pose(pack, clips):
    points = clips[0].points.clone()
    points[3:6] = torch.nan
    angles = head_angles(pack.mapping.model, replace(clips[0], points=points))
    whole = head_angles(pack.mapping.model, clips[0])
    assert torch.allclose(angles[3], whole[2], atol=1e-5)
    assert torch.allclose(angles[5], whole[6], atol=1e-5)
