"""Recorded inputs and outputs of the reference; ``SADTALKER_GOLDENS=DIR`` chooses another folder of the same format."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

SHIPPED = Path(__file__).resolve().parent.parent / "goldens" / "reference"


def goldens_folder() -> Path:
    return Path(os.environ.get("SADTALKER_GOLDENS", SHIPPED))


@cache
def kit() -> dict[str, Any]:
    """Facts that are no tensors: the salt of the weights, blink draws, weight spot checks."""
    return json.loads((goldens_folder() / "kit.json").read_text(encoding="utf-8"))


@cache
def golden(name: str) -> dict[str, Tensor]:
    """The tensors of one file, such as ``golden("01_audio")``."""
    return load_file(goldens_folder() / f"{name}.safetensors")


def largest_error(ours: Tensor, recorded: Tensor) -> float:
    """Largest absolute difference of two tensors of one shape."""
    assert ours.shape == recorded.shape
    return float((ours.double() - recorded.double()).abs().max()) if ours.numel() else 0.0
