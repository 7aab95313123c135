"""Official checkpoints, with weights made by rule, in the same graph and the same server as the open pack."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from sadtalker_host.api import Client
from sadtalker_host.graphs import MutableGraph, find_graph, read_graph, upload_demo_files, with_files
from sadtalker_host.places import REPOSITORY

if TYPE_CHECKING:
    from sadtalker_host.server import Server

pytestmark = [pytest.mark.host, pytest.mark.slow]

DEMO = REPOSITORY / "sadtalker_core" / "assets" / "demo"
OPEN = "open (built in)"
SIZE = 256
FRAMES = 3
"""One takes seconds."""
SWITCHES = 10


@pytest.fixture(scope="module")
def release(server: Server) -> Path:
    from sadtalker_pack.tests.support.official_files import write_official_release

    return write_official_release(server.models_folder, SIZE)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Speech for so many frames, from where the demo speaker is well under way."""
    samples, rate = soundfile.read(str(DEMO / "speech.wav"), dtype="int16")
    folder = tmp_path_factory.mktemp("sound")

    def write(frames: int) -> Path:
        path = folder / f"official_{frames}.wav"
        soundfile.write(path, samples[rate : rate + frames * rate // 25], rate, subtype="PCM_16")
        return path

    return write


@pytest.fixture(scope="module")
def stages(client: Client, sound: Callable[[int], Path]) -> Callable[..., list[torch.Tensor]]:
    """Runs the graph of stages with a model file and other inputs; gives its frames (3, H, W), 8 bits."""
    speech = {frames: client.upload(sound(frames)) for frames in (1, FRAMES)}

    def run(model: str, *, count: int = FRAMES, pasted: bool = False, **inputs: object) -> list[torch.Tensor]:
        graph = read_graph(find_graph(REPOSITORY, "stages"))
        upload_demo_files(client, graph, DEMO, frozenset())
        graph = with_files(graph, None, speech[count])
        node(graph, "SadTalkerLoadModels")["inputs"]["model"] = model
        node(graph, "SadTalkerExtract3DMM")["inputs"].update(inputs)
        frames = [number(graph, "SadTalkerFaceRender"), 0]
        for class_type in ("CreateVideo", "SaveVideo"):
            del graph[number(graph, class_type)]
        if pasted:
            face = [number(graph, "SadTalkerExtract3DMM"), 0]
            graph["paste"] = {"class_type": "SadTalkerPasteBack", "inputs": {"face": face, "frames": frames}}
            frames = ["paste", 0]
        graph["save"] = {"class_type": "SaveImage", "inputs": {"images": frames, "filename_prefix": "official"}}
        finished = client.run(graph, timeout=900)
        return [read_picture(client.fetch(file)) for file in finished.files if file.filename.endswith(".png")]

    return run


@pytest.fixture(scope="module")
def directly(release: Path, sound: Callable[[int], Path]) -> Callable[..., torch.Tensor]:
    """The same frames (T, 3, H, W) from the core, without ComfyUI."""
    from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
    from sadtalker_pack.sadtalker_core.packs.official.load import load_official_pack
    from sadtalker_pack.sadtalker_core.pipeline import TalkingHeadOptions, talking_head

    pack = load_official_pack(release)
    pixels = np.asarray(Image.open(DEMO / "portrait.jpg").convert("RGB"))
    picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    samples, rate = soundfile.read(str(sound(FRAMES)), dtype="float32", always_2d=True)

    def run(**options: object) -> torch.Tensor:
        settings = node(read_graph(find_graph(REPOSITORY, "stages")), "SadTalkerPoseVAE")["inputs"]
        chosen = TalkingHeadOptions(seed=settings["seed"], style=settings["style"], watermark=False, **options)
        with torch.inference_mode():
            return talking_head(pack, picture, mono_waveform(torch.from_numpy(samples.T.copy()), rate), chosen).frames

    return run


class TestFrames:
    def test_equal_the_core_s(self, stages, directly, release):
        rendered = stages(release.name, framing="crop", size=SIZE)
        compare(rendered, directly(framing="crop", size=SIZE))

    def test_pasted_equal_the_core_s(self, stages, directly, release):
        rendered = stages(release.name, framing="full", size=1024, pasted=True)
        assert rendered[0].shape[1:] == (600, 512)
        compare(rendered, directly(framing="full", size=1024))


def test_switching_packs_leaves_no_memory_behind(server: Server, stages, release, record_property, capsys):
    memory = []
    for _ in range(SWITCHES):
        for model in (release.name, OPEN):
            assert stages(model, count=1, framing="crop", size=SIZE)
        memory.append(server.memory_mib)
    record_property("memory_mib", memory)
    with capsys.disabled():
        print(f"\nserver memory after each round of both packs, MiB: {[round(m) for m in memory]}")  # noqa: T201
    # The first round also loads libraries; the weights of the official pack alone are 730 MiB.
    assert max(memory[2:]) - memory[1] < 150


def compare(rendered: list[torch.Tensor], frames: torch.Tensor) -> None:
    assert len(rendered) == len(frames) == FRAMES
    difference = (torch.stack(rendered).float() - 255 * frames).abs()
    assert difference.max() <= 2
    assert torch.stack(rendered).float().std() > 10, "the picture is blank"
    assert (rendered[0].float() - rendered[-1].float()).abs().mean() > 0.1, "nothing moves"


def number(graph: MutableGraph, class_type: str) -> str:
    (found,) = (key for key, entry in graph.items() if entry["class_type"] == class_type)
    return found


def node(graph: MutableGraph, class_type: str) -> dict:
    return graph[number(graph, class_type)]


def read_picture(content: bytes) -> torch.Tensor:
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)
