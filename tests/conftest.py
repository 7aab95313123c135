"""Registers the pack once under the name ``sadtalker_pack``, whatever its folder is called, and seeds every test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent


def _register_pack() -> None:
    spec = importlib.util.spec_from_file_location(
        "sadtalker_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sadtalker_pack"] = module
    spec.loader.exec_module(module)


if "sadtalker_pack" not in sys.modules:
    _register_pack()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
