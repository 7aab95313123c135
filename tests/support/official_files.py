"""Files with the tensors that the published ones have, after the manifest, with weights made by rule."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from sadtalker_pack.tests.support.goldens import SHIPPED, kit
from sadtalker_pack.tests.support.rule_weights import rule_weights
from safetensors.torch import save_file
from torch import Tensor

SINGLE_FILE = "SadTalker_V0.0.2_{size}.safetensors"
MAPPINGS = ("mapping_00229-model.pth.tar", "mapping_00109-model.pth.tar")
OLD_RELEASE = (
    "auido2exp_00300-model.pth",
    "auido2pose_00140-model.pth",
    "facevid2vid_00189-model.pth.tar",
    "epoch_20.pth",
)
_RENDERER_STATE = ("optimizer_generator", "optimizer_discriminator", "optimizer_kp_detector", "optimizer_he_estimator")
_MAPPING_STATE = ("discriminator", "optimizer_mapping", "optimizer_discriminator")
TRAINING_STATE = {
    "mapping_00109-model.pth.tar": _MAPPING_STATE,
    "mapping_00229-model.pth.tar": _MAPPING_STATE,
    "auido2exp_00300-model.pth": ("optimizer",),
    "auido2pose_00140-model.pth": ("optimizer",),
    "facevid2vid_00189-model.pth.tar": ("discriminator", *_RENDERER_STATE),
    "epoch_20.pth": ("opt_00", "sched_00"),
    "alignment_WFLW_4HG.pth": ("optimizer",),
}
"""What the published checkpoints hold beside their networks, by the manifest's notes."""


@cache
def manifest() -> dict[str, Any]:
    """Names and shapes of every tensor of every published file."""
    return json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))


def published_files() -> list[str]:
    """Every file of the manifest of which tensors are known."""
    return [
        name for name, file in manifest()["files"].items() if file.keys() & {"path_in_file", "component", "prefixes"}
    ]


@cache
def component(name: str) -> dict[str, Tensor]:
    """The tensors of a network by their names in its own state dictionary."""
    shapes = {f"{name}.{key}": facts["shape"] for key, facts in manifest()["components"][name]["state_dict"].items()}
    weights = rule_weights(shapes, kit()["salt"])
    return {key.removeprefix(f"{name}."): tensor for key, tensor in weights.items()}


def write_published(name: str, folder: Path, *, zipped: bool = True) -> Path:
    """Write one of ``published_files``; ``zipped`` chooses between the two formats of torch's checkpoints."""
    path, facts = folder / name, manifest()["files"][name]
    folder.mkdir(parents=True, exist_ok=True)
    if facts["format"] == "safetensors":
        save_file(
            {
                prefix + key: tensor
                for prefix, part in facts["prefixes"].items()
                for key, tensor in component(part).items()
            },
            path,
        )
    else:
        torch.save(_checkpoint(name, facts), path, _use_new_zipfile_serialization=zipped)
    return path


def write_official_release(folder: Path, size: int) -> Path:
    """Write the newer release, both mapping files included; returns the file to choose."""
    for name in MAPPINGS:
        write_published(name, folder)
    return write_published(SINGLE_FILE.format(size=size), folder)


def _checkpoint(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """What training saves: the networks, the number of the epoch, and what else ``TRAINING_STATE`` names."""
    if "component" in facts:
        return component(facts["component"])
    content: dict[str, Any] = {key: component(part) for key, part in facts["path_in_file"].items()}
    weights = [tensor for part in content.values() for tensor in part.values() if tensor.is_floating_point()]
    moments = [torch.zeros(()).expand_as(tensor) for tensor in weights]  # one number each in the file
    adam = {
        "state": {number: {"step": 7, "exp_avg": zero, "exp_avg_sq": zero} for number, zero in enumerate(moments)},
        "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "params": list(range(len(moments)))}],
    }
    state: dict[str, Any] = dict.fromkeys(TRAINING_STATE[name], adam)
    if "discriminator" in state:
        state["discriminator"] = {"discs.1.conv.weight": torch.zeros(1, 512, 4, 4)}
    return content | {"epoch": 140} | state
