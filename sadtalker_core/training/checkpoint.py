"""The state of an interrupted training run, so that it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import WeightsError
from ..files.write import write_whole


def save_checkpoint(
    path: Path,
    step: int,
    run: Mapping[str, Any],
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """Write modules, optimiser and random state after ``step`` steps of a run, ``run``: what JSON can hold and tells it
    from others, its settings and the size of its data."""
    tensors: dict[str, Tensor] = {"step": torch.tensor(step), "generator": generator.get_state()}
    for name, module in modules.items():
        tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{key}": value for key, value in state.items()}
    write_whole(path, {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, _metadata(run))


def restore_checkpoint(
    path: Path,
    run: Mapping[str, Any],
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> int:
    """Put back what ``save_checkpoint`` wrote; returns the steps done, 0 without a file.

    Raises:
        WeightsError: the file is of another network, or of a run with other settings or data.
    """
    if not path.is_file():
        return 0
    with safe_open(path, "pt") as file:
        before, now = file.metadata() or {}, _metadata(run)
    changed = [
        f"{name} {before.get(name, 'not known')}, now {now.get(name, 'not known')}"
        for name in now | before
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise WeightsError(
            f"{path} is of a run with other settings or data: {'; '.join(changed)}. "
            "Delete it to start the training anew, or go on with what it was begun with."
        )
    tensors = load_file(path)
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(name, tensors))
    except RuntimeError as error:
        raise WeightsError(f"{path} is of another network. Delete it to start the training anew. {error}") from error
    stored = optimiser.state_dict()
    stored["state"] = {}
    for name, tensor in _below("optimiser", tensors).items():
        number, key = name.split(".")
        stored["state"].setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict(stored)
    generator.set_state(tensors["generator"])
    return int(tensors["step"])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}


def _metadata(run: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in run.items()}
