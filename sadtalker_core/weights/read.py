"""FILES -> tensors: the only place that opens weight files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import WeightsError


@dataclass(frozen=True, slots=True)
class WeightFile:
    """The content of a safetensors file."""

    path: Path
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    """what ``config`` in the file's metadata says, decoded from JSON; empty if there is none"""


def read_safetensors(path: Path) -> WeightFile:
    """Read a safetensors file whole, on the CPU.

    Raises:
        WeightsError: the file is missing, cut short, or not a safetensors file.
    """
    if not path.is_file():
        raise WeightsError(f"The weight file {path.name} is missing from {path.parent}. Install the node pack again.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            config = json.loads((file.metadata() or {}).get("config", "{}"))
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise WeightsError(
            f"{path.name} cannot be read as a safetensors file ({error}). It may be cut short: fetch it again."
        ) from error
    return WeightFile(path, tensors, config)


def load_strictly(module: nn.Module, file: WeightFile) -> None:
    """Copy the tensors of ``file`` into ``module``; every name and shape must match.

    Raises:
        WeightsError: with the missing, unexpected and misshaped names.
    """
    expected = module.state_dict()
    missing = sorted(set(expected) - set(file.tensors))
    unexpected = sorted(set(file.tensors) - set(expected))
    misshaped = [
        f"{name}: file {tuple(file.tensors[name].shape)}, network {tuple(expected[name].shape)}"
        for name in sorted(set(expected) & set(file.tensors))
        if expected[name].shape != file.tensors[name].shape
    ]
    if missing or unexpected or misshaped:
        raise WeightsError(
            f"{file.path.name} does not fit the network {type(module).__name__}. "
            f"Missing: {_listing(missing)}. Unexpected: {_listing(unexpected)}. Wrong shape: {_listing(misshaped)}."
        )
    module.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in file.tensors.items()})


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:5]) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
