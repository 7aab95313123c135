"""The example graphs name existing nodes, inputs and sockets, and both forms of each say the same."""

from __future__ import annotations

import json

import pytest
from sadtalker_pack.tests.nodes.comfy_host import ROOT, object_info, pack_nodes
from sadtalker_pack.tests.workflows.ui_to_api import NOTES, WIDGETS, api_form, input_specs

FOLDER = ROOT / "workflows"
DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
ANYTHING = "*"
"""Type of an input that takes every type."""
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
every_graph = pytest.mark.parametrize("name", NAMES)


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def read_api(name):
    return json.loads((FOLDER / "api" / f"{name}.json").read_text(encoding="utf-8"))


def nodes_of(graph):
    return [node for node in graph["nodes"] if node["type"] not in NOTES]


def test_each_graph_has_both_forms():
    assert {"stages", "talking_head"} <= {*NAMES}
    assert tuple(sorted(path.stem for path in (FOLDER / "api").glob("*.json"))) == NAMES


def test_every_node_of_the_pack_is_in_a_graph():
    shown = {node["class_type"] for name in NAMES for node in read_api(name).values()}
    assert set(pack_nodes()) <= shown


@every_graph
class TestApiForm:
    def test_says_the_same_as_the_web_form(self, name):
        entries = read_api(name)
        titles = {number: entry.pop("_meta")["title"] for number, entry in entries.items()}
        assert api_form(read(name), object_info()) == entries
        for number, entry in entries.items():
            assert titles[number] == object_info()[entry["class_type"]]["display_name"]

    def test_reads_the_demo_files(self, name):
        entries = read_api(name).values()
        files = {"LoadImage": "image", "LoadAudio": "audio"}
        read = [entry["inputs"][files[entry["class_type"]]] for entry in entries if entry["class_type"] in files]
        assert ("speech.wav" in read) == (name != "idle")
        assert {*read} <= {path.name for path in DEMO.iterdir()}

    def test_inputs_are_complete_and_in_range(self, name):
        for entry in read_api(name).values():
            info = object_info()[entry["class_type"]]
            known = {spec[0]: spec for spec in input_specs(info)}
            assert set(info["input"]["required"]) <= set(entry["inputs"]) <= set(known), entry
            for key, value in entry["inputs"].items():
                _, kind, options = known[key]
                if isinstance(value, list):
                    assert kind in (linked_type(name, value), ANYTHING), (entry["class_type"], key)
                elif kind in ("INT", "FLOAT"):
                    assert options.get("min", value) <= value <= options.get("max", value), (entry["class_type"], key)
                elif kind == "COMBO" and "options" in options:
                    assert value in options["options"], (entry["class_type"], key)


def linked_type(name, link):
    origin = read_api(name)[link[0]]
    return str(object_info()[origin["class_type"]]["output"][link[1]])


@every_graph
class TestWebForm:
    def test_sockets_are_those_of_the_nodes(self, name):
        for node in nodes_of(read(name)):
            info = object_info()[node["type"]]
            known = {key: kind for key, kind, _ in input_specs(info)}
            slots = {slot["name"]: slot["type"] for slot in node["inputs"]}
            # Widgets that only the web page knows have slots of their own: the upload button, the audio player.
            assert {key: kind for key, kind in slots.items() if key in known} == known, node["type"]
            assert {slots[key] for key in set(slots) - set(known)} <= {"IMAGEUPLOAD", "AUDIOUPLOAD", "AUDIO_UI"}
            assert [slot["type"] for slot in node["outputs"]] == [str(kind) for kind in info["output"]]
            assert [slot["name"] for slot in node["outputs"]] == info["output_name"]

    def test_widgets_are_marked(self, name):
        for node in nodes_of(read(name)):
            for slot in node["inputs"]:
                if slot["type"] in WIDGETS:
                    assert slot["widget"] == {"name": slot["name"]}

    def test_links_agree_at_both_ends(self, name):
        graph = read(name)
        nodes = {node["id"]: node for node in graph["nodes"]}
        for number, origin, out, target, into, kind in graph["links"]:
            assert number in nodes[origin]["outputs"][out]["links"]
            assert nodes[target]["inputs"][into]["link"] == number
            assert nodes[origin]["outputs"][out]["type"] == kind
            assert nodes[target]["inputs"][into]["type"] in (kind, ANYTHING)
        ends = [slot["link"] for node in graph["nodes"] for slot in node["inputs"] if slot["link"] is not None]
        assert sorted(ends) == sorted(link[0] for link in graph["links"])

    def test_counters_are_ahead(self, name):
        graph = read(name)
        assert graph["last_node_id"] >= max(node["id"] for node in graph["nodes"])
        assert graph["last_link_id"] >= max(link[0] for link in graph["links"])

    def test_nothing_overlaps_and_every_node_lies_in_a_group(self, name):
        graph = read(name)
        boxes = {node["id"]: box_of(node) for node in graph["nodes"]}
        for number, box in boxes.items():
            others = [other for key, other in boxes.items() if key != number]
            assert not any(overlap(box, other) for other in others), number
        groups = [to_corners(group["bounding"]) for group in graph["groups"]]
        for node in nodes_of(graph):
            assert any(inside(boxes[node["id"]], group) for group in groups), node["type"]

    def test_flows_from_left_to_right(self, name):
        graph = read(name)
        left = {node["id"]: node["pos"][0] for node in graph["nodes"]}
        assert all(left[link[1]] <= left[link[3]] for link in graph["links"])

    def test_a_note_explains_it(self, name):
        notes = [node for node in read(name)["nodes"] if node["type"] in NOTES]
        assert len(notes) == 1
        assert len(notes[0]["widgets_values"][0]) > 100

    def test_tells_where_missing_nodes_come_from(self, name):
        packs = {node["properties"]["cnr_id"] for node in nodes_of(read(name)) if node["type"] in pack_nodes()}
        assert packs == {"sadtalker-stages"}


TITLE_HEIGHT = 30


def box_of(node):
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE_HEIGHT, x + width, y + height


def to_corners(bounding):
    x, y, width, height = bounding
    return x, y, x + width, y + height


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(a, b):
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]
