"""Tensors -> FILES: written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor


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
