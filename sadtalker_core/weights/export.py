"""Modules -> FILES: write our own checkpoints."""

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
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path, metadata={"config": json.dumps(config)})
