"""FILES -> tensors: the only place that opens weight files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import WeightsError

SUFFIXES = (".safetensors", ".pth", ".tar", ".pt", ".ckpt")
"""Of the files that may hold weights; what a file is its first bytes say."""
_SIGNS_OF_CODE = ("Unsupported global", "Unsupported class", "Trying to")
"""What torch's restricted reader says of a pickle that wants to import or call something."""
_LARGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """The content of a weight file."""

    path: Path
    tensors: dict[str, Tensor]
    """by name, on the CPU; they may lie in the file itself until something reads them"""
    config: dict[str, Any]
    """what ``config`` in the file's metadata says, decoded from JSON; empty if there is none"""


def read_weights(path: Path) -> WeightFile:
    """Read a safetensors file or a torch checkpoint; nothing in either is executed.

    The nested dictionaries of a checkpoint become one, with the keys joined by dots; whatever is no tensor is left out.

    Raises:
        WeightsError: the file is missing, damaged, or can only be read by running code from it.
    """
    if not path.is_file():
        raise WeightsError(f"The weight file {path.name} is missing from {path.parent}. Choose another one.")
    return read_safetensors(path) if _is_safetensors(path) else _read_checkpoint(path)


def read_safetensors(path: Path) -> WeightFile:
    """Read a safetensors file, on the CPU.

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

    A module made on the meta device gets tensors of its own. The counters of batch norm layers may be missing: they
    play no part in inference.

    Raises:
        WeightsError: with the missing, unexpected and misshaped names.
    """
    expected = module.state_dict()
    tensors = {name: torch.zeros_like(wanted, device="cpu") for name, wanted in expected.items() if _is_counter(name)}
    tensors |= file.tensors
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    misshaped = [
        f"{name}: file {tuple(tensors[name].shape)}, network {tuple(expected[name].shape)}"
        for name in sorted(set(expected) & set(tensors))
        if expected[name].shape != tensors[name].shape
    ]
    if missing or unexpected or misshaped:
        raise WeightsError(
            f"{file.path.name} does not fit the network {type(module).__name__}. "
            f"Missing: {_listing(missing)}. Unexpected: {_listing(unexpected)}. Wrong shape: {_listing(misshaped)}."
        )
    # A copy of each, so that no network lives in a file that somebody may replace.
    owned = {name: torch.empty_like(expected[name], device="cpu").copy_(tensor) for name, tensor in tensors.items()}
    module.load_state_dict(owned, assign=any(tensor.is_meta for tensor in expected.values()))


def _is_safetensors(path: Path) -> bool:
    """The length of the header in eight bytes, then its JSON; a file that is named so is taken at its word."""
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    return path.suffix == ".safetensors" or (start[8:] == b"{" and 1 < header < _LARGEST_HEADER)


def _read_checkpoint(path: Path) -> WeightFile:
    try:
        content = torch.load(  # noqa: TID251 - the one place, and it only builds tensors and plain values
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:
        raise WeightsError(_why_not(path, error)) from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path.name} holds a {type(content).__name__}, not a dictionary of tensors.")
    return WeightFile(path, dict(_flat(content)), {})


def _why_not(path: Path, error: Exception) -> str:
    if any(sign in str(error) for sign in _SIGNS_OF_CODE):
        return (
            f"{path.name} needs code to be run in order to be read, which is refused: such a file can do anything to a "
            "computer. Get it in the safetensors format. If you trust its source, convert it yourself, where that can "
            "do no harm: load it with torch.load(path, weights_only=False), and write its dictionary of tensors with "
            "safetensors.torch.save_file."
        )
    kind = type(error).__name__
    return f"{path.name} cannot be read as a torch checkpoint ({kind}). It may be cut short: fetch it again."


def _flat(content: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value.detach()
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")


def _is_counter(name: str) -> bool:
    return name.endswith(".num_batches_tracked")


def _listing(names: list[str]) -> str:
    shown = ", ".join(names[:5]) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
