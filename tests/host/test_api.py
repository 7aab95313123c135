"""What the client makes of the server's messages, and of graphs; no server runs here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sadtalker_host import api
from sadtalker_host.errors import HostError
from sadtalker_host.graphs import find_graph, read_graph, upload_demo_files, with_files

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "portrait.jpg"}},
    "2": {"class_type": "LoadAudio", "inputs": {"audio": "speech.wav"}},
    "3": {"class_type": "SadTalkerFaceRender", "inputs": {"face": ["1", 0]}, "_meta": {"title": "Face Render"}},
}


def message(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"prompt_id": "mine", **data}}


def take(*messages: dict[str, Any]) -> api._Run:
    run = api._Run(GRAPH, lambda step: None, "mine")
    over = [api._take(run, item) for item in messages]
    assert over == [False] * (len(messages) - 1) + [True]
    return run


class TestMessages:
    def test_progress_then_the_end(self) -> None:
        run = take(
            message("execution_cached", nodes=["1"]),
            message("executing", node="3"),
            message("progress", node="3", value=5, max=10),
            message("executing", node=None),
        )
        assert run.cached == ["1"]
        assert [(step.title, step.done, step.total) for step in run.progress] == [
            ("Face Render", 0, 0),
            ("Face Render", 5, 10),
        ]
        assert run.error is None

    def test_messages_of_other_graphs_are_left_alone(self) -> None:
        run = api._Run(GRAPH, lambda step: None, "mine")
        other = {"type": "executing", "data": {"prompt_id": "theirs", "node": None}}
        assert not api._take(run, other)
        assert not api._take(run, {"type": "status", "data": {"status": {}}})

    def test_a_failed_node(self) -> None:
        failure = message(
            "execution_error",
            node_id="3",
            node_type="SadTalkerFaceRender",
            exception_message="No face found.\n",
            exception_type="sadtalker.FaceNotFoundError",
            traceback=["line\n"],
        )
        error = take(failure, message("executing", node=None)).error
        assert isinstance(error, api.GraphError)
        assert str(error) == "Face Render (node 3, SadTalkerFaceRender) failed: No face found."
        assert error.node == "3"
        assert error.traceback == "line\n"

    def test_an_error_without_text_keeps_its_kind(self) -> None:
        failure = message("execution_error", node_id="3", node_type="X", exception_type="builtins.MemoryError")
        assert "MemoryError" in str(take(failure, message("executing", node=None)).error)

    def test_an_interrupt(self) -> None:
        run = take(message("execution_interrupted", node_id="3"), message("executing", node=None))
        assert isinstance(run.error, api.GraphInterruptedError)

    def test_a_refused_graph(self) -> None:
        body = {
            "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed", "details": ""},
            "node_errors": {
                "3": {
                    "class_type": "SadTalkerFaceRender",
                    "errors": [{"message": "Required input is missing", "details": "keypoints"}],
                }
            },
        }
        text = api.rejection_text(GRAPH, json.dumps(body).encode())
        assert "Face Render (node 3, SadTalkerFaceRender): Required input is missing: keypoints" in text

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": "plain"}', b"{}"])
    def test_a_refusal_in_another_form_is_shown_as_it_is(self, body: bytes) -> None:
        assert api.rejection_text(GRAPH, body).startswith("The server refused the graph: ")

    def test_files_of_a_record(self) -> None:
        record = {
            "outputs": {
                "9": {
                    "images": [{"filename": "a.mp4", "subfolder": "video", "type": "output"}],
                    "animated": [True],
                    "text": ["words"],
                }
            }
        }
        finished = api.Finished("mine", tuple(api._output_files(record)), (), (), 1.0)
        assert finished.file(".mp4") == api.OutputFile("9", "a.mp4", "video", "output")
        with pytest.raises(HostError, match="saved no .wav"):
            finished.file(".wav")

    def test_a_video_goes_before_a_picture_that_was_made_earlier(self) -> None:
        files = tuple(api.OutputFile("1", name, "", "output") for name in ("plot.png", "head.mp4"))
        assert api.Finished("mine", files, (), (), 1.0).file(".mp4", ".png").filename == "head.mp4"


class TestGraphs:
    def write(self, folder: Path, content: object) -> Path:
        file = folder / "graph.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        return file

    def test_a_persons_files_replace_the_demo_files(self) -> None:
        changed = with_files(GRAPH, "me.png", None)
        assert changed["1"]["inputs"]["image"] == "me.png"
        assert changed["2"]["inputs"]["audio"] == "speech.wav"
        assert GRAPH["1"]["inputs"]["image"] == "portrait.jpg"

    def test_two_pictures_are_ambiguous(self) -> None:
        with pytest.raises(HostError, match="2 LoadImage nodes"):
            with_files({**GRAPH, "4": GRAPH["1"]}, "me.png", None)

    def test_the_form_of_the_web_page_is_recognised(self, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="graph for the web page"):
            read_graph(self.write(tmp_path, {"nodes": [], "links": []}))

    @pytest.mark.parametrize("content", [[], {}, {"1": {"inputs": {}}}, "text"])
    def test_something_else(self, tmp_path: Path, content: object) -> None:
        with pytest.raises(HostError, match="not a graph in API form"):
            read_graph(self.write(tmp_path, content))

    def test_a_missing_graph(self, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="no graph"):
            find_graph(tmp_path, "nothing")

    def test_examples_are_found_by_name(self, tmp_path: Path) -> None:
        example = tmp_path / "workflows" / "api" / "stages.json"
        example.parent.mkdir(parents=True)
        example.touch()
        assert find_graph(tmp_path, "stages") == example
        assert find_graph(tmp_path, str(example)) == example

    def test_only_what_is_missing_is_uploaded(self, tmp_path: Path) -> None:
        (tmp_path / "speech.wav").touch()
        uploaded: list[str] = []

        class Recorder:
            def upload(self, path: Path) -> None:
                uploaded.append(path.name)

        graph = with_files(GRAPH, "me.png", None)
        upload_demo_files(Recorder(), graph, tmp_path, frozenset({"me.png"}))  # type: ignore[arg-type]
        assert uploaded == ["speech.wav"]
        with pytest.raises(HostError, match=r"portrait\.jpg"):
            upload_demo_files(Recorder(), GRAPH, tmp_path, frozenset())  # type: ignore[arg-type]
