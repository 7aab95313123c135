"""Example graphs: find one, put a person's files into it, upload what it reads."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import HostError

if TYPE_CHECKING:
    from .api import Client

MutableGraph = dict[str, dict[str, Any]]
PICTURE = ("LoadImage", "image")
SPEECH = ("LoadAudio", "audio")
"""Class of ComfyUI's own node, and its input that names a file in the input folder."""
_FILE_INPUTS = (PICTURE, SPEECH, ("LoadVideo", "file"), ("SadTalkerLoadCoefficients", "file"))


def find_graph(root: Path, name: str) -> Path:
    """A file, or the name of an example graph such as 'stages'.

    Raises:
        HostError: there is neither.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    examples = root / "workflows" / "api"
    example = examples / f"{given.stem}.json"
    if given.parent == Path(".") and example.is_file():
        return example
    known = ", ".join(sorted(path.stem for path in examples.glob("*.json"))) or "none found"
    raise HostError(f"There is no graph {given}.", f"Give a file in API form, or one of the examples: {known}.")


def read_graph(path: Path) -> MutableGraph:
    """Read a graph in API form.

    Raises:
        HostError: it is something else, such as the form that the web page opens.
    """
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HostError(f"{path} cannot be read as a graph: {error}") from error
    if isinstance(graph, dict) and isinstance(graph.get("nodes"), list):
        raise HostError(
            f"{path} is a graph for the web page; the server takes the API form.",
            "Use the file of the same name in workflows/api, or export yours with Workflow > Export (API).",
        )
    if not isinstance(graph, dict) or not graph or not all(_is_node(entry) for entry in graph.values()):
        raise HostError(f"{path} is not a graph in API form: it should map node numbers to class_type and inputs.")
    return graph


def with_files(graph: MutableGraph, portrait: str | None, audio: str | None) -> MutableGraph:
    """A copy of ``graph`` whose Load Image and Load Audio read the uploaded files ``portrait`` and ``audio``.

    Raises:
        HostError: there is not exactly one such node for a file that is given.
    """
    result = copy.deepcopy(graph)
    for name, (class_type, key) in ((portrait, PICTURE), (audio, SPEECH)):
        if name is None:
            continue
        nodes = [number for number, entry in result.items() if entry["class_type"] == class_type]
        if len(nodes) != 1:
            raise HostError(
                f"The graph has {len(nodes)} {class_type} nodes ({', '.join(nodes) or 'none'}); exactly one is "
                "needed to put your file into.",
                "Edit the graph itself, or choose another one with --workflow.",
            )
        result[nodes[0]]["inputs"][key] = name
    return result


def upload_demo_files(client: Client, graph: MutableGraph, folder: Path, present: frozenset[str]) -> None:
    """Upload the files of ``folder`` that ``graph`` names and the server does not have (``present``).

    Raises:
        HostError: the graph names a file that is in neither place.
    """
    for class_type, key in _FILE_INPUTS:
        for number, entry in graph.items():
            name = entry["inputs"].get(key)
            if entry["class_type"] != class_type or not isinstance(name, str) or name in present:
                continue
            if not (folder / name).is_file():
                raise HostError(
                    f"Node {number} ({class_type}) of the graph reads '{name}', which is not among the demo files.",
                    "Give your own files with --portrait and --audio.",
                )
            client.upload(folder / name)


def _is_node(entry: object) -> bool:
    return isinstance(entry, dict) and "class_type" in entry and isinstance(entry.get("inputs"), dict)
