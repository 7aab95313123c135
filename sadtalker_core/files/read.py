"""FILES -> tensors: the only place that opens weight files."""

from __future__ import annotations

import json
import tarfile
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
"""Endings of the files that may hold weights. What is in a file is told by its first bytes."""
_ARCHIVE, _PICKLE = b"PK\x03\x04", b"\x80"
"""First bytes of a checkpoint as torch writes it today, and as it once did."""
_SIGNS_OF_CODE = ("Unsupported global", "Unsupported class", "Unsupported operand", "Trying to", "Can only")
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


def weight_files(folder: Path) -> list[Path]:
    """The files in a folder, not below it, that may hold weights, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


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
    except (SafetensorError, json.JSONDecodeError, RecursionError, OSError) as error:
        advice = "It may be cut short: fetch it again."
        if _begins(path, _ARCHIVE, _PICKLE + b"\x02"):
            advice = "It seems to be a torch checkpoint: let its name end in .pth."
        raise WeightsError(f"{path.name} cannot be read as a safetensors file ({error}). {advice}") from error
    if not isinstance(config, dict):
        raise WeightsError(f"The configuration in {path.name} is no dictionary: {config}.")
    return WeightFile(path, tensors, config)


def load_strictly(module: nn.Module, file: WeightFile) -> None:
    """Copy the tensors of ``file`` into ``module``; every name and shape must match.

    A module made on the meta device gets tensors of its own. The counters of batch norm layers may be missing: they
    play no part in inference.

    Raises:
        WeightsError: with the missing, unexpected and misshaped names, or with those that hold whole numbers in place
            of fractions.
    """
    expected = module.state_dict()
    tensors = {name: torch.zeros_like(wanted, device="cpu") for name, wanted in expected.items() if _is_counter(name)}
    tensors |= file.tensors
    missing = sorted(set(expected) - set(tensors))
    unexpected = sorted(set(tensors) - set(expected))
    misshaped = [
        f"{name}: file {_form(tensors[name])}, network {_form(expected[name])}"
        for name in sorted(set(expected) & set(tensors))
        if not _holds(tensors[name], expected[name])
    ]
    if missing or unexpected or misshaped:
        raise WeightsError(
            f"{file.path.name} does not fit the network {type(module).__name__}. "
            f"Missing: {listing(missing)}. Unexpected: {listing(unexpected)}. Wrong shape: {listing(misshaped)}."
        )
    # A copy of each: if a network lived in the mapped file, overwriting that would end the process (bus error).
    owned = {name: torch.empty_like(expected[name], device="cpu").copy_(tensor) for name, tensor in tensors.items()}
    module.load_state_dict(owned, assign=any(tensor.is_meta for tensor in expected.values()))


def _holds(tensor: Tensor, wanted: Tensor) -> bool:
    """Whether it can be taken for ``wanted``; half precision can, quantised weights cannot."""
    fractions = tensor.is_floating_point() or not wanted.is_floating_point()
    return fractions and tensor.shape == wanted.shape


def _form(tensor: Tensor) -> str:
    """Its shape, and its type where numbers of that type cannot be weights."""
    shape = str(tuple(tensor.shape))
    return shape if tensor.is_floating_point() else f"{shape} of {str(tensor.dtype).removeprefix('torch.')}"


def _begins(path: Path, *starts: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(max(map(len, starts))).startswith(starts)


def _is_safetensors(path: Path) -> bool:
    """The length of the header in eight bytes, then its JSON; a file that is named so is taken at its word."""
    with path.open("rb") as file:
        start = file.read(9)
    header = int.from_bytes(start[:8], "little")
    return path.suffix == ".safetensors" or (start[8:] == b"{" and 1 < header < _LARGEST_HEADER)


def _read_checkpoint(path: Path) -> WeightFile:
    # A real tar archive is torch's oldest format, which versions before 2.6 read without the restriction.
    if not _begins(path, _ARCHIVE, _PICKLE) or tarfile.is_tarfile(path):
        raise WeightsError(
            f"{path.name} cannot be read as a torch checkpoint: it does not begin like one. It may be cut short, or a "
            "web page saved in its place: fetch it again."
        )
    try:
        content = torch.load(  # noqa: TID251 - the one place, and it only builds tensors and plain values
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
        if not isinstance(content, Mapping):
            raise WeightsError(f"{path.name} holds a {type(content).__name__}, not a dictionary of tensors.")
        named = list(_flat(content))
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(_why_not(path, error)) from error
    tensors = dict(named)
    if len(tensors) < len(named):
        raise WeightsError(f"{path.name} holds the same names twice, once as groups and once joined by dots.")
    odd = [name for name, tensor in named if tensor.layout is not torch.strided or tensor.device.type != "cpu"]
    if odd:
        raise WeightsError(f"{path.name} holds tensors that are no plain arrays of numbers: {listing(odd)}.")
    return WeightFile(path, tensors, {})


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


def listing(names: list[str]) -> str:
    """The first names, for a message, and how many follow."""
    shown = ", ".join(names[:5]) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
