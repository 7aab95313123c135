"""Directions that a pack finds in pictures, held against those that the open pack knows from its vertices."""

from __future__ import annotations

import pytest
import torch
from sadtalker_pack.sadtalker_core.controls.actions import ACTION_NAMES
from sadtalker_pack.sadtalker_core.controls.directions import action_directions
from sadtalker_pack.sadtalker_core.controls.examples import SIZE, draw_examples, read_examples
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.morphable import own_vertices
from sadtalker_pack.sadtalker_core.packs.official.load import load_official_pack
from sadtalker_pack.tests.support.official_files import write_official_release

LID_ASYMMETRY = "lid_difference"
"""Half of it opens an eye beyond what faces do; the model reads that as something else."""


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    with torch.no_grad():
        return extract_face(pack.landmarker, pack.extractor, demo_picture, size=512, framing="resize")


@pytest.fixture(scope="module")
def examples(pack, face):
    return draw_examples(pack, face)


def test_the_person_is_drawn_doing_each_action(examples):
    assert examples.pictures.shape == (1 + len(ACTION_NAMES), 3, SIZE, SIZE)
    changes = (examples.pictures[1:] - examples.pictures[0]).abs().amax(1).gt(0.1).float().mean((1, 2))
    assert float(changes.min()) > 0.0005


def test_its_landmarks_are_where_the_landmarker_finds_them(pack, examples):
    (detection, *_) = pack.landmarker.detect(examples.pictures[ACTION_NAMES.index("jaw_drop") + 1])
    found = pack.landmarker.landmarks(examples.pictures[ACTION_NAMES.index("jaw_drop") + 1], detection).points
    told = examples.landmarks[ACTION_NAMES.index("jaw_drop") + 1]
    assert float((found - told)[:, :2].norm(dim=1).mean()) < 0.02 * SIZE


def test_the_open_pack_reads_what_it_was_told_to_draw(pack, face, examples):
    read = read_examples(pack, examples)
    model = pack.extractor.model
    told = action_directions(model, own_vertices(face))
    alike = dict(zip(ACTION_NAMES, torch.cosine_similarity(read, told).tolist(), strict=True))
    assert min(value for name, value in alike.items() if name != LID_ASYMMETRY) > 0.8, alike
    assert sum(alike.values()) / len(alike) > 0.93
    lengths = read.norm(dim=1) / told.norm(dim=1)
    assert 0.75 < float(lengths.min()) <= float(lengths.max()) < 1.25


def test_a_pack_without_vertices_cannot_draw_them(face, tmp_path):
    official = load_official_pack(write_official_release(tmp_path, 256))
    with pytest.raises(SadTalkerError, match="such as the open one"):
        draw_examples(official, face)
