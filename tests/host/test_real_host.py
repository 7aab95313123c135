"""The pack inside a real ComfyUI: nodes, example graphs, the video itself, interrupt, errors.

One server is started for all of these; see ``conftest.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from sadtalker_host.api import Client, Finished, GraphError, GraphInterruptedError, Progress
from sadtalker_host.graphs import MutableGraph, find_graph, read_graph, upload_demo_files, with_files
from sadtalker_host.places import LINK_NAME, REPOSITORY
from sadtalker_host.video import Video, read_video

if TYPE_CHECKING:
    from sadtalker_host.server import Server

pytestmark = pytest.mark.host

NODES = {
    "SadTalkerLoadModels",
    "SadTalkerAudioToMel",
    "SadTalkerExtract3DMM",
    "SadTalkerExpNet",
    "SadTalkerPoseVAE",
    "SadTalkerBlink",
    "SadTalkerCombineCoefficients",
    "SadTalkerEditCoefficients",
    "SadTalkerMixCoefficients",
    "SadTalkerSaveCoefficients",
    "SadTalkerLoadCoefficients",
    "SadTalkerPreviewCoefficients",
    "SadTalkerExtract3DMMFromVideo",
    "SadTalkerReferenceMotion",
    "SadTalkerReferenceBlink",
    "SadTalkerMappingNet",
    "SadTalkerFaceRender",
    "SadTalkerPasteBack",
    "SadTalkerTalkingHead",
    "SadTalkerTalkingFaces",
    "SadTalkerDubVideo",
    "SadTalkerExpressionEditor",
    "SadTalkerIdle",
    "SadTalkerPreviewKeypoints",
    "SadTalkerCutOut",
    "SadTalkerLoadRestorer",
    "SadTalkerEnhance",
    "SadTalkerDetailTransfer",
    "SadTalkerWatermark",
    "SadTalkerDetectWatermark",
    "SadTalkerEvaluate",
}
EXAMPLES = tuple(sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json")))
SPEAKING = tuple(name for name in EXAMPLES if name != "idle")
DEMO = REPOSITORY / "sadtalker_core" / "assets" / "demo"
FPS = 25
VIDEO_FPS = {"dub_video": 30}
"""Of graphs whose frame rate is that of a video."""
RATE = 16_000
UPPER_LIP, LOWER_LIP, EYE_CORNERS = 13, 14, (33, 263)
"""Mesh points: the middles of the inner lips, and the outer corners of the eyes as the unit of length."""


@dataclass(frozen=True)
class Run:
    graph: MutableGraph
    finished: Finished
    content: bytes
    video: Video


def frames_of_demo_speech(fps: int) -> int:
    """int(seconds x fps), exactly."""
    information = soundfile.info(str(DEMO / "speech.wav"))
    return max(1, int(Fraction(information.frames, information.samplerate) * fps))


def example_graph(client: Client, name: str) -> MutableGraph:
    graph = read_graph(find_graph(REPOSITORY, name))
    upload_demo_files(client, graph, DEMO, frozenset())
    return graph


def ignore(step: Progress) -> None:
    pass


def run(client: Client, graph: MutableGraph, on_progress: Callable[[Progress], None] = ignore) -> Run:
    finished = client.run(graph, on_progress, timeout=600)
    content = client.fetch(finished.file(".mp4"))
    return Run(graph, finished, content, read_video(content))


@pytest.fixture(scope="session")
def examples(client: Client) -> Callable[[str], Run]:
    """Runs an example graph on the demo files, once."""
    made: dict[str, Run | GraphError] = {}

    def get(name: str) -> Run:
        if name not in made:
            try:
                made[name] = run(client, example_graph(client, name))
            except GraphError as error:  # once is enough: every test of this graph reports it
                made[name] = error
        result = made[name]
        if isinstance(result, GraphError):
            raise result
        return result

    return get


@pytest.fixture(scope="session")
def speaking(examples: Callable[[str], Run]) -> torch.Tensor:
    """Mouth opening (T,) measured on the demo video."""
    return mouth_opening(landmarks_of(examples("talking_head").video.frames))


@pytest.fixture
def speak(client: Client, tmp_path: Path) -> Callable[..., Run]:
    """Runs the one-node graph on given samples, with other values for the node's inputs."""

    def call(
        samples: np.ndarray[Any, Any],
        rate: int = RATE,
        picture: str | None = None,
        on_progress: Callable[[Progress], None] = ignore,
        **inputs: Any,
    ) -> Run:
        soundfile.write(tmp_path / "sound.wav", samples, rate, subtype="PCM_16")
        # The server caches by name and content; a name of its own keeps runs apart.
        audio = client.upload(tmp_path / "sound.wav", f"{tmp_path.name}.wav")
        graph = with_files(example_graph(client, "talking_head"), picture, audio)
        node = next(entry for entry in graph.values() if entry["class_type"] == "SadTalkerTalkingHead")
        assert set(inputs) <= set(node["inputs"]), "the test names an input that the node does not have"
        node["inputs"].update(inputs)
        return run(client, graph, on_progress)

    return call


def speech(seconds: float) -> np.ndarray[Any, Any]:
    samples, rate = soundfile.read(str(DEMO / "speech.wav"), dtype="float32")
    positions = np.arange(int(seconds * RATE)) * rate / RATE
    return np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)


class TestNodes:
    def test_the_host_lists_them(self, client: Client) -> None:
        listed = client.pack_nodes(LINK_NAME)
        assert set(listed) >= NODES
        assert all(name.startswith("SadTalker") for name in listed)

    def test_nothing_failed_while_loading(self, server: Server) -> None:
        log = server.log_path.read_text(encoding="utf-8", errors="replace")
        for mark in ("IMPORT FAILED", "could not be imported", "Error while calling comfy_entrypoint"):
            assert mark not in log

    def test_each_has_its_place_and_its_words(self, client: Client) -> None:
        for name, info in client.object_info().items():
            if info.get("python_module") != f"custom_nodes.{LINK_NAME}":
                continue
            assert info["category"].split("/")[0] == "SadTalker", name
            assert info["display_name"], name
            assert info["description"], name
            for section in ("required", "optional"):  # what a person sees; output nodes have hidden inputs too
                for key, entry in info["input"].get(section, {}).items():
                    assert entry[1].get("tooltip"), f"{name}.{key} has no tooltip"


@pytest.mark.slow
class TestExamples:
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_the_file_is_a_video(self, examples: Callable[[str], Run], name: str) -> None:
        video = examples(name).video
        assert video.codec == "h264"
        assert video.pixel_format == "yuv420p"
        assert video.fps == VIDEO_FPS.get(name, FPS)
        height, width = video.frames.shape[-2:]
        assert height % 2 == 0
        assert width % 2 == 0

    @pytest.mark.parametrize("name", SPEAKING)
    def test_it_lasts_as_long_as_its_sound(self, examples: Callable[[str], Run], name: str) -> None:
        video = examples(name).video
        assert video.audio_codec
        assert video.samples.abs().max() > 0.05
        assert video.frames.shape[0] == frames_of_demo_speech(VIDEO_FPS.get(name, FPS))
        assert abs(video.audio_seconds - video.seconds) < 0.1

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_the_picture_moves(self, examples: Callable[[str], Run], name: str) -> None:
        frames = examples(name).video.frames.float()
        assert frames.std() > 10, "the picture is blank"
        changes = (frames[1:] - frames[:-1]).abs().mean((1, 2, 3))
        # Compression leaves no frame exactly like another; a moving head changes most of them visibly.
        assert (changes > 0.1).float().mean() > 0.5

    @pytest.mark.parametrize("name", EXAMPLES)
    def test_progress_came_over_the_websocket(self, examples: Callable[[str], Run], name: str) -> None:
        example = examples(name)
        computed = {step.node for step in example.finished.progress} | set(example.finished.cached)
        assert computed == set(example.graph)
        steps = [step for step in example.finished.progress if step.total > 1]
        by_node: dict[str, list[int]] = {}
        for step in steps:
            by_node.setdefault(step.node, []).append(step.done)
        assert by_node, "no node reported its progress"
        assert all(done == sorted(done) for done in by_node.values())
        longest = max(by_node, key=lambda node: len(by_node[node]))
        assert len(by_node[longest]) >= 5
        assert by_node[longest][-1] == next(step.total for step in steps if step.node == longest)

    @pytest.mark.parametrize(("name", "message"), [("talking_head", "AI video"), ("watermark", "Take 7-b")])
    def test_the_file_carries_the_mark(
        self, examples: Callable[[str], Run], tmp_path: Path, name: str, message: str
    ) -> None:
        from sadtalker_pack.sadtalker_core.finish.watermark.files import detect_in_file

        (tmp_path / "saved.mp4").write_bytes(examples(name).content)
        assert detect_in_file(tmp_path / "saved.mp4", frames=25).message == message

    def test_both_graphs_make_the_same_video(self, examples: Callable[[str], Run]) -> None:
        one, stages = (examples(name).video.frames for name in ("talking_head", "stages"))
        assert one.shape == stages.shape
        assert (one.float() - stages.float()).abs().mean() < 1


@pytest.mark.slow
class TestMouth:
    def test_it_follows_the_coefficients_that_drive_it(
        self, examples: Callable[[str], Run], speaking: torch.Tensor, record_property: Callable[[str, object], None]
    ) -> None:
        driving = mouth_opening(driving_points(examples("talking_head").graph))
        assert speaking.shape == driving.shape
        correlation = float(torch.corrcoef(torch.stack([speaking, driving]))[0, 1])
        record_property("mouth_correlation", correlation)
        assert driving.std() > 0.01, "the coefficients do not move the mouth"
        assert correlation > 0.8

    def test_it_hardly_moves_in_silence(self, speaking: torch.Tensor, speak: Callable[..., Run]) -> None:
        silent = mouth_opening(landmarks_of(speak(np.zeros(3 * RATE, np.float32)).video.frames))
        assert silent.shape == (3 * FPS,)
        assert silent.std() < 0.3 * speaking.std()


@pytest.mark.slow
class TestRepeatability:
    def test_the_same_seed_gives_the_same_frames(self, client: Client, speak: Callable[..., Run]) -> None:
        first = speak(speech(1), seed=7).video.frames
        client.forget()
        again = speak(speech(1), seed=7)
        # Nothing came from the cache, and yet:
        assert not again.finished.cached
        assert torch.equal(first, again.video.frames)
        assert not torch.equal(first, speak(speech(1), seed=8).video.frames)

    def test_an_unchanged_graph_comes_from_the_cache(self, speak: Callable[..., Run]) -> None:
        speak(speech(0.4), seed=3)
        again = speak(speech(0.4), seed=3)
        node = next(key for key, entry in again.graph.items() if entry["class_type"] == "SadTalkerTalkingHead")
        assert node in again.finished.cached


class TestInterrupt:
    def test_a_long_run_stops_and_the_server_lives(self, client: Client, speak: Callable[..., Run]) -> None:
        stopped_at: list[float] = []

        def stop(step: Progress) -> None:
            if step.done >= 1 and step.total > 1 and not stopped_at:
                client.interrupt()
                stopped_at.append(time.monotonic())

        with pytest.raises(GraphInterruptedError):
            speak(np.tile(speech(10), 4), on_progress=stop)
        assert stopped_at, "the node reported no progress to stop at"
        assert time.monotonic() - stopped_at[0] < 10
        assert speak(speech(0.2)).video.frames.shape[0] == 5


class TestInputs:
    def test_a_blink_of_sound_gives_one_frame(self, speak: Callable[..., Run]) -> None:
        assert speak(speech(0.05)).video.frames.shape[0] == 1

    def test_stereo_at_96_khz(self, speak: Callable[..., Run]) -> None:
        mono = np.repeat(speech(0.4), 6)
        assert speak(np.stack([mono, mono], axis=1), rate=96_000).video.frames.shape[0] == 10

    @pytest.mark.parametrize("mode", ["L", "RGBA"])
    def test_pictures_of_other_kinds(
        self, client: Client, speak: Callable[..., Run], tmp_path: Path, mode: str
    ) -> None:
        Image.open(DEMO / "portrait.jpg").convert(mode).save(tmp_path / "portrait.png")
        name = client.upload(tmp_path / "portrait.png", f"portrait_{mode}.png")
        frames = speak(speech(0.2), picture=name).video.frames
        assert frames.shape[0] == 5
        assert frames.float().std() > 10

    def test_a_16_bit_picture_is_read_or_named(self, client: Client, speak: Callable[..., Run], tmp_path: Path) -> None:
        """Load Image of ComfyUI 0.3.75 turns grey 16-bit pictures white; then the pack must say so."""
        grey = np.asarray(Image.open(DEMO / "portrait.jpg").convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(tmp_path / "deep.png")
        name = client.upload(tmp_path / "deep.png")
        outcome = ""
        try:
            read = bool(speak(speech(0.2), picture=name).video.frames.float().std() > 10)
        except GraphError as error:
            read, outcome = False, str(error)
        assert read or "16 bits" in outcome

    def test_a_picture_without_a_face_is_named(self, client: Client, speak: Callable[..., Run], tmp_path: Path) -> None:
        Image.fromarray(np.full((256, 256, 3), 128, np.uint8)).save(tmp_path / "wall.png")
        name = client.upload(tmp_path / "wall.png")
        with pytest.raises(GraphError, match=r"(?i)no face.*256") as caught:
            speak(speech(0.2), picture=name)
        assert "SadTalkerTalkingHead" in str(caught.value)
        assert speak(speech(0.2)).video.frames.shape[0] == 5

    def test_a_face_index_out_of_range_is_named(self, speak: Callable[..., Run]) -> None:
        with pytest.raises(GraphError, match=r"(?i)face"):
            speak(speech(0.2), face_index=40)


def landmarks_of(frames: torch.Tensor) -> torch.Tensor:
    """Mesh points (T, 478, 3) in pixels, measured on frames (T, 3, H, W) uint8."""
    from sadtalker_pack.sadtalker_core.face.tracking import track_landmarks
    from sadtalker_pack.sadtalker_core.packs.open.load import load_open_pack

    with torch.inference_mode():
        return track_landmarks(load_open_pack().landmarker, iter(frames.float() / 255)).points


def driving_points(graph: MutableGraph) -> torch.Tensor:
    """Mesh points (T, 478, 3) that the coefficients of a one-node graph ask for, computed here."""
    from sadtalker_pack.sadtalker_core import pipeline
    from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
    from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
    from sadtalker_pack.sadtalker_core.face.extract import extract_face
    from sadtalker_pack.sadtalker_core.packs.open.load import load_open_pack

    node = next(entry for entry in graph.values() if entry["class_type"] == "SadTalkerTalkingHead")
    names = {field.name for field in fields(pipeline.TalkingHeadOptions)}
    options = pipeline.TalkingHeadOptions(**{key: value for key, value in node["inputs"].items() if key in names})
    samples, rate = soundfile.read(str(DEMO / "speech.wav"), dtype="float32", always_2d=True)
    picture = torch.from_numpy(np.asarray(Image.open(DEMO / "portrait.jpg").convert("RGB")).copy())
    with torch.inference_mode():
        pack = load_open_pack()
        mel = mel_windows(mono_waveform(torch.from_numpy(samples.T.copy()), rate), options.fps)
        face = extract_face(
            pack.landmarker,
            pack.extractor,
            picture.permute(2, 0, 1).float() / 255,
            face_index=options.face_index,
            framing=options.framing,
            size=options.size,
        )
        coefficients = pipeline.predict_coefficients(pack, face, mel, options)
        return pack.mapping.keypoints(face, coefficients).driving


def mouth_opening(points: torch.Tensor) -> torch.Tensor:
    """Gap between the inner lips (T,), as a share of the distance between the eyes' outer corners."""
    flat = points[..., :2]
    gap = (flat[:, UPPER_LIP] - flat[:, LOWER_LIP]).norm(dim=1)
    unit = (flat[:, EYE_CORNERS[0]] - flat[:, EYE_CORNERS[1]]).norm(dim=1)
    return gap / unit
