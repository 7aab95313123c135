"""What the host and its users see of each node. One invalid schema would hide every node of the pack."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import Path

import pytest
from sadtalker_pack.sadtalker_core.pipeline import TalkingHeadOptions
from sadtalker_pack.tests.nodes.comfy_host import ROOT, pack_nodes

# Saved graphs name these ids and count on this order. Only ever add: a new node, or at the end of a list.
SOCKETS = {
    "SadTalkerTalkingHead": "image IMAGE, audio AUDIO, framing COMBO, size INT, fps FLOAT, style INT, seed INT, "
    "expression_scale FLOAT, pose_scale FLOAT, blink BOOLEAN, still BOOLEAN, face_index INT, pack? SADTALKER_PACK, "
    "watermark? BOOLEAN -> video VIDEO",
    "SadTalkerTalkingFaces": "image IMAGE, audio_1 AUDIO, face_order COMBO, size INT, fps FLOAT, style INT, seed INT, "
    "expression_scale FLOAT, pose_scale FLOAT, blink BOOLEAN, still BOOLEAN, audio_2? AUDIO, audio_3? AUDIO, "
    "audio_4? AUDIO, pack? SADTALKER_PACK, watermark? BOOLEAN -> video VIDEO",
    "SadTalkerLoadModels": "model COMBO, official_size? COMBO -> pack SADTALKER_PACK",
    "SadTalkerExtract3DMM": "pack SADTALKER_PACK, image IMAGE, framing COMBO, size INT, face_index INT, "
    "face_order? COMBO, region? MASK, points? STRING -> face SADTALKER_FACE, crop IMAGE",
    "SadTalkerAudioToMel": "audio AUDIO, fps FLOAT -> mel SADTALKER_MEL",
    "SadTalkerBlink": "mel SADTALKER_MEL, rate FLOAT, seed INT, pattern? COMBO -> blinks SADTALKER_BLINK",
    "SadTalkerExpNet": "pack SADTALKER_PACK, mel SADTALKER_MEL, face SADTALKER_FACE, expression_scale FLOAT, "
    "blink? SADTALKER_BLINK, reference? SADTALKER_COEFFS -> expression SADTALKER_COEFFS",
    "SadTalkerPoseVAE": "pack SADTALKER_PACK, mel SADTALKER_MEL, face SADTALKER_FACE, style INT, seed INT, "
    "pose_scale FLOAT -> pose SADTALKER_COEFFS",
    "SadTalkerCombineCoefficients": "expression SADTALKER_COEFFS, pose SADTALKER_COEFFS "
    "-> coefficients SADTALKER_COEFFS",
    "SadTalkerDubVideo": "audio AUDIO, length COMBO, missing COMBO, expression_scale FLOAT, face_index INT, "
    "images_fps FLOAT, video? VIDEO, images? IMAGE, pack? SADTALKER_PACK, watermark? BOOLEAN -> video VIDEO",
    "SadTalkerEditCoefficients": "coefficients SADTALKER_COEFFS, expression_scale FLOAT, pose_scale FLOAT, "
    "pitch FLOAT, yaw FLOAT, roll FLOAT, expression_smoothing FLOAT, pose_smoothing FLOAT, speed FLOAT, fps FLOAT, "
    "frames INT, extension COMBO, mel? SADTALKER_MEL, face? SADTALKER_FACE -> coefficients SADTALKER_COEFFS",
    "SadTalkerMixCoefficients": "first SADTALKER_COEFFS, second SADTALKER_COEFFS, way COMBO, part COMBO, "
    "weight FLOAT, overlap FLOAT, pack? SADTALKER_PACK -> coefficients SADTALKER_COEFFS",
    "SadTalkerExpressionEditor": "pack SADTALKER_PACK, face SADTALKER_FACE, happy FLOAT, sad FLOAT, angry FLOAT, "
    "surprised FLOAT, afraid FLOAT, disgusted FLOAT, brows FLOAT, brow_slope FLOAT, blink FLOAT, wink FLOAT, "
    "squint FLOAT, gaze_x FLOAT, gaze_y FLOAT, smile FLOAT, jaw FLOAT, pucker FLOAT, sneer FLOAT, pitch FLOAT, "
    "yaw FLOAT, roll FLOAT, keyframes STRING, coefficients? SADTALKER_COEFFS "
    "-> coefficients SADTALKER_COEFFS, picture IMAGE",
    "SadTalkerIdle": "pack SADTALKER_PACK, face SADTALKER_FACE, seconds FLOAT, fps FLOAT, style INT, seed INT, "
    "pose_scale FLOAT, blink_rate FLOAT, gaze FLOAT, loop BOOLEAN -> coefficients SADTALKER_COEFFS",
    "SadTalkerSaveCoefficients": "coefficients SADTALKER_COEFFS, filename_prefix STRING, format COMBO, "
    "pack? SADTALKER_PACK -> coefficients SADTALKER_COEFFS",
    "SadTalkerLoadCoefficients": "file COMBO -> coefficients SADTALKER_COEFFS",
    "SadTalkerPreviewCoefficients": "coefficients SADTALKER_COEFFS, width INT, height INT, audio? AUDIO, "
    "pack? SADTALKER_PACK -> plot IMAGE",
    "SadTalkerPreviewKeypoints": "keypoints SADTALKER_KEYPOINTS, size INT, swing FLOAT -> frames IMAGE, fps FLOAT",
    "SadTalkerEvaluate": "images_fps FLOAT, video? VIDEO, images? IMAGE, audio? AUDIO, reference? VIDEO, "
    "source? IMAGE, pack? SADTALKER_PACK -> table STRING, json STRING",
    "SadTalkerExtract3DMMFromVideo": "pack SADTALKER_PACK, framing COMBO, missing COMBO, images_fps FLOAT, "
    "video? VIDEO, images? IMAGE -> coefficients SADTALKER_COEFFS, blinks SADTALKER_BLINK",
    "SadTalkerReferenceMotion": "reference SADTALKER_COEFFS, part COMBO, coefficients? SADTALKER_COEFFS, "
    "face? SADTALKER_FACE -> coefficients SADTALKER_COEFFS",
    "SadTalkerReferenceBlink": "blinks SADTALKER_BLINK, mel SADTALKER_MEL -> blinks SADTALKER_BLINK",
    "SadTalkerMappingNet": "pack SADTALKER_PACK, face SADTALKER_FACE, coefficients SADTALKER_COEFFS, "
    "yaw? STRING, pitch? STRING, roll? STRING -> keypoints SADTALKER_KEYPOINTS",
    "SadTalkerFaceRender": "pack SADTALKER_PACK, face SADTALKER_FACE, keypoints SADTALKER_KEYPOINTS, batch_size INT "
    "-> frames IMAGE, fps FLOAT",
    "SadTalkerLoadRestorer": "restorer COMBO -> restorer SADTALKER_RESTORER",
    "SadTalkerEnhance": "frames IMAGE, scale FLOAT, weight FLOAT, stability FLOAT, batch_size INT, "
    "restorer? SADTALKER_RESTORER, upscale_model? UPSCALE_MODEL, pack? SADTALKER_PACK -> frames IMAGE",
    "SadTalkerDetailTransfer": "pack SADTALKER_PACK, face SADTALKER_FACE, keypoints SADTALKER_KEYPOINTS, frames IMAGE, "
    "strength FLOAT -> frames IMAGE",
    "SadTalkerPasteBack": "face SADTALKER_FACE, frames IMAGE, background? IMAGE, mask? MASK, "
    "moves_surroundings? BOOLEAN -> frames IMAGE, mask MASK",
    "SadTalkerCutOut": "face SADTALKER_FACE, frames IMAGE, person? MASK, background? IMAGE -> frames IMAGE, mask MASK",
    "SadTalkerWatermark": "images IMAGE, invisible BOOLEAN, message STRING, text STRING, corner COMBO, opacity FLOAT, "
    "size FLOAT, logo? IMAGE, logo_mask? MASK -> images IMAGE",
    "SadTalkerDetectWatermark": "images? IMAGE, video? VIDEO -> message STRING, found BOOLEAN, score FLOAT",
}
every_node = pytest.mark.parametrize("node_id", sorted(SOCKETS))


def test_the_nodes_are_these():
    assert sorted(pack_nodes()) == sorted(SOCKETS)


@every_node
def test_schema_is_valid_and_can_be_sent_to_the_browser(node_id):
    node = pack_nodes()[node_id]
    node.GET_SCHEMA()  # raises if ids collide
    json.dumps(node.GET_NODE_INFO_V1())


@every_node
def test_sockets_do_not_change(node_id):
    schema = pack_nodes()[node_id].GET_SCHEMA()
    inputs = [f"{i.id}{'?' if i.optional else ''} {i.get_io_type()}" for i in schema.inputs]
    outputs = [f"{o.display_name} {o.get_io_type()}" for o in schema.outputs]
    assert f"{', '.join(inputs)} -> {', '.join(outputs)}" == SOCKETS[node_id]


@every_node
def test_everything_is_explained(node_id):
    schema = pack_nodes()[node_id].GET_SCHEMA()
    assert schema.description
    assert schema.display_name
    assert schema.category.split("/")[0] == "SadTalker"
    assert [part for part in (*schema.inputs, *schema.outputs) if not part.tooltip] == []


@every_node
def test_optional_inputs_come_last(node_id):
    """The web page lists them last whatever the schema says, so that the order of saved widget values differs."""
    optional = [part.optional for part in pack_nodes()[node_id].GET_SCHEMA().inputs]
    assert optional == sorted(optional)


@every_node
def test_help_page_names_every_socket(node_id):
    schema = pack_nodes()[node_id].GET_SCHEMA()
    page = (ROOT / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    names = {part.id for part in schema.inputs} | {part.display_name for part in schema.outputs}
    assert {name for name in names if f"`{name}`" not in page} == set()


@every_node
def test_seed_offers_control_after_generate(node_id):
    seeds = [part for part in pack_nodes()[node_id].GET_SCHEMA().inputs if part.id == "seed"]
    assert all(seed.control_after_generate and seed.max == 2**64 - 1 for seed in seeds)


def test_help_pages_belong_to_nodes():
    pages = {path.stem for path in (ROOT / "web" / "docs").glob("*.md")}
    assert pages == set(SOCKETS)


def test_node_ids_are_literal_strings():
    """The registry's scanner reads the ids from the source text."""
    found = []
    for path in Path(ROOT / "nodes").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.keyword) and call.arg == "node_id":
                found.append(ast.literal_eval(call.value))
    assert sorted(found) == sorted(SOCKETS)


def test_talking_head_offers_every_option_of_the_core():
    inputs = {part.id: part for part in pack_nodes()["SadTalkerTalkingHead"].GET_SCHEMA().inputs}
    defaults = {field.name: field.default for field in fields(TalkingHeadOptions)}
    assert set(inputs) == {*defaults, "image", "audio", "pack"}
    assert {name: inputs[name].default for name in defaults} == defaults


@pytest.mark.parametrize(
    ("node_id", "name"),
    [
        ("SadTalkerLoadModels", "model"),
        ("SadTalkerExtract3DMM", "framing"),
        ("SadTalkerExtract3DMM", "face_order"),
        ("SadTalkerTalkingFaces", "face_order"),
        ("SadTalkerTalkingHead", "framing"),
        ("SadTalkerLoadModels", "official_size"),
        ("SadTalkerBlink", "pattern"),
        ("SadTalkerEditCoefficients", "extension"),
        ("SadTalkerMixCoefficients", "way"),
        ("SadTalkerMixCoefficients", "part"),
        ("SadTalkerSaveCoefficients", "format"),
        ("SadTalkerLoadCoefficients", "file"),
        ("SadTalkerExtract3DMMFromVideo", "framing"),
        ("SadTalkerExtract3DMMFromVideo", "missing"),
        ("SadTalkerReferenceMotion", "part"),
        ("SadTalkerLoadRestorer", "restorer"),
        ("SadTalkerWatermark", "corner"),
    ],
)
class TestChoices:
    def test_each_offered_value_passes(self, node_id, name):
        node = pack_nodes()[node_id]
        options = next(part.options for part in node.GET_SCHEMA().inputs if part.id == name)
        assert [node.validate_inputs(**{name: option}) for option in options] == [True] * len(options)

    def test_another_value_is_named_with_the_choices(self, node_id, name):
        message = pack_nodes()[node_id].validate_inputs(**{name: "nonsense"})
        assert message.startswith(f"{name} must be one of ")
        assert "nonsense" in message

    def test_a_linked_input_passes(self, node_id, name):
        assert pack_nodes()[node_id].validate_inputs(**{name: None}) is True


def test_every_combo_is_validated():
    """ComfyUI 0.3.75 does not compare a COMBO's value with its options."""
    for node_id, node in pack_nodes().items():
        for part in node.GET_SCHEMA().inputs:
            if part.get_io_type() == "COMBO":
                assert part.id in node.validate_inputs.__code__.co_varnames, node_id


@pytest.mark.parametrize("path", sorted((ROOT / "locales").glob("*/nodeDefs.json")), ids=lambda path: path.parent.name)
class TestTranslation:
    def test_covers_every_node_and_socket(self, path):
        words = json.loads(path.read_text(encoding="utf-8"))
        wanted = {
            node_id: (
                {part.id for part in node.GET_SCHEMA().inputs},
                {str(number) for number in range(len(node.GET_SCHEMA().outputs))},
            )
            for node_id, node in pack_nodes().items()
        }
        assert {node_id: (set(entry["inputs"]), set(entry["outputs"])) for node_id, entry in words.items()} == wanted

    def test_leaves_nothing_empty(self, path):
        for entry in json.loads(path.read_text(encoding="utf-8")).values():
            assert entry["display_name"]
            assert entry["description"]
            for part in (*entry["inputs"].values(), *entry["outputs"].values()):
                assert part["name"]
                assert part["tooltip"]
