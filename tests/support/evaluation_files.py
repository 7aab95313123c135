"""The published files of the evaluation networks, with weights made by rule.

``evaluation_layouts.json`` holds the name and shape of every tensor, as the software that each file belongs to names
them; a single number stands for a batch norm of so many channels.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from sadtalker_pack.sadtalker_core.metrics.video_metrics import MetricResources
from sadtalker_pack.sadtalker_core.metrics.weight_files import PublishedFile, load_network
from sadtalker_pack.tests.support.rule_weights import rule_weights
from torch import Tensor, nn

SALT = "evaluation"
_NORM = ("weight", "bias", "running_mean", "running_var")
_LEAK = 0.25
"""Size of the slopes below zero; the rule's own would be about 1, and bend nothing."""


@cache
def layouts() -> dict[str, dict[str, Any]]:
    return json.loads(Path(__file__).with_name("evaluation_layouts.json").read_text(encoding="utf-8"))


def shapes(name: str) -> dict[str, list[int]]:
    """Every tensor of a published file and its shape, batch norms spelt out."""
    found = {}
    for key, shape in layouts()[name].items():
        if isinstance(shape, int):
            found |= {f"{key}.{part}": [shape] for part in _NORM} | {f"{key}.num_batches_tracked": []}
        else:
            found[key] = shape
    return found


@cache
def published_tensors(name: str) -> dict[str, Tensor]:
    """All tensors of a published file by name, after the rule."""
    tensors = rule_weights(shapes(name), SALT)
    if name == "alex.pth":
        return {key: tensor.abs() for key, tensor in tensors.items()}  # as trained: no channel lessens a distance
    slopes = [key for key in tensors if name.startswith("recognition") and key.endswith("_layer.2.weight")]
    return tensors | {key: _LEAK * tensors[key] for key in slopes}


def write_published_network(file: PublishedFile, folder: Path, *, zipped: bool = False, counters: bool = True) -> Path:
    """Write a published file as torch did at its time, or does today; ``counters``: with those of its batch norms."""
    tensors = published_tensors(file.name)
    kept = {key: tensor for key, tensor in tensors.items() if counters or not key.endswith("num_batches_tracked")}
    torch.save(kept, folder / file.name, _use_new_zipfile_serialization=zipped)
    return folder / file.name


def described(file: PublishedFile, folder: Path) -> PublishedFile:
    """The file with the digest of what lies in the folder, as the rule's weights cannot have the published one."""
    return replace(file, sha256=sha256((folder / file.name).read_bytes()).hexdigest())


def rule_made(file: PublishedFile, make: Any, folder: Path) -> Any:
    """A network with weights made by rule, loaded from a file as published ones are."""
    write_published_network(file, folder)
    return load_network(described(file, folder), make, MetricResources(folder, torch.device("cpu")))


def filled(make: Any, name: str) -> Any:
    """The same without the file."""
    network: nn.Module = make()
    network.load_state_dict(published_tensors(name))
    return network.eval().requires_grad_(False)
