"""The official pack's smaller networks with rule-made weights."""

from __future__ import annotations

from functools import cache

from sadtalker_pack.sadtalker_core.packs.official.mapping import CROP_CHANNELS, FULL_CHANNELS, MappingNetwork
from sadtalker_pack.sadtalker_core.packs.official.regressor import FaceRegressor
from sadtalker_pack.tests.support.goldens import kit
from sadtalker_pack.tests.support.rule_weights import fill_by_rule

MAPPING_CHANNELS = {"mapping_00229": CROP_CHANNELS, "mapping_00109": FULL_CHANNELS}


@cache
def rule_mapping(name: str) -> MappingNetwork:
    """'mapping_00229' (crop framings) or 'mapping_00109' (full ones)."""
    network = MappingNetwork(MAPPING_CHANNELS[name])
    fill_by_rule(network, kit()["salt"], lambda key: f"{name}.{key}")
    return network


@cache
def rule_regressor() -> FaceRegressor:
    network = FaceRegressor()
    fill_by_rule(network, kit()["salt"], lambda key: f"face_3drecon.{key}")
    return network
