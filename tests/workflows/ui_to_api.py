"""The web page's form of a graph -> the form the server takes, as the web page itself converts it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
NOTES = {"Note", "MarkdownNote"}
"""Nodes that exist on the web page only."""

Graph = dict[str, Any]


def api_form(graph: Graph, object_info: dict[str, Any]) -> Graph:
    """Convert; every widget value is consumed by name and in order, and none may be left over."""
    links = {link[0]: link for link in graph["links"]}
    result: Graph = {}
    for node in graph["nodes"]:
        if node["type"] not in NOTES:
            result[str(node["id"])] = _entry(node, links, object_info[node["type"]])
    return result


def _entry(node: Graph, links: dict[int, list[Any]], info: Graph) -> Graph:
    slots = {slot["name"]: slot for slot in node["inputs"]}
    values = iter(node.get("widgets_values", []))
    inputs: Graph = {}
    for name, kind, options in input_specs(info):
        link = slots[name].get("link")
        if kind in WIDGETS:
            inputs[name] = next(values)
            for _ in range(companions(options)):
                next(values)
        if link is not None:
            _, origin, origin_slot, *_ = links[link]
            inputs[name] = [str(origin), origin_slot]
    left = list(values)
    if left:
        raise ValueError(f"node {node['id']} ({node['type']}) has widget values that no input takes: {left}")
    return {"class_type": node["type"], "inputs": inputs}


def input_specs(info: Graph) -> Iterator[tuple[str, str, Graph]]:
    """Name, type and options of each input, in the order of the web page: required ones first."""
    for section in ("required", "optional"):
        for name, (kind, *rest) in info["input"].get(section, {}).items():
            yield name, "COMBO" if isinstance(kind, list) else str(kind), rest[0] if rest else {}


def companions(options: Graph) -> int:
    """How many widgets without an input of their own the web page puts behind this one."""
    # What to do with the seed; the button to upload a picture or a video; the audio player and its upload button.
    return sum(
        count
        for key, count in (("control_after_generate", 1), ("image_upload", 1), ("video_upload", 1), ("audio_upload", 2))
        if options.get(key)
    )
