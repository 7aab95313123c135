"""Modules -> FILES: write our own checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch

from ....files.write import write_safetensors
from ....pack import Pack
from ..load import official_networks, official_size
from .catalog import EXPORTED


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
