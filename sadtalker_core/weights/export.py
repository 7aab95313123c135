"""Modules -> FILES: write our own checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..pack import Pack
from .catalog import EXPORTED
from .official_pack import official_networks, official_size


def write_official_pack(pack: Pack, path: Path) -> None:
    """Write the networks of an official pack to one file of our own, which ``load_official_pack`` reads again.

    Unlike the published files it says which size its networks were trained on.

    Raises:
        WeightsError: the pack consists of other networks.
    """
    tensors = {
        f"{name}.{key}": tensor
        for name, network in official_networks(pack).items()
        for key, tensor in network.state_dict().items()
    }
    config = {"release": EXPORTED, "basis": pack.basis, "size": official_size(pack), "styles": pack.styles}
    write_safetensors(path, tensors, config, dtype=torch.float32)


def write_safetensors(
    path: Path, tensors: dict[str, Tensor], config: dict[str, Any], *, dtype: torch.dtype = torch.float16
) -> None:
    """Write ``tensors`` to ``path`` with their configuration in the metadata.

    Floating-point tensors are stored as ``dtype``; half precision halves the pack's size and is turned back into
    float32 when it is read.
    """
    stored = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in tensors.items()
    }
    write_whole(path, stored, {"config": json.dumps(config)})


def write_whole(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file and its folder; if the writing is stopped, what was at ``path`` before stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    save_file(tensors, unfinished, metadata)
    unfinished.replace(path)
