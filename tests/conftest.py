"""Registers the pack once under the name ``sadtalker_pack``, whatever its folder is called, and seeds every test."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import settings
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no error: nothing here is held to a time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _register_pack() -> None:
    spec = importlib.util.spec_from_file_location(
        "sadtalker_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sadtalker_pack"] = module
    spec.loader.exec_module(module)


if "sadtalker_pack" not in sys.modules:
    _register_pack()


if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # each core has a worker of its own

LONGEST_FIRST = ("host", "core/evaluation", "core/training", "benchmarks", "parity", "nodes")
"""Folders whose tests take longest; what is left for last should be short, so that no worker waits for another."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest; the workers take one file after the other in this order."""
    items.sort(key=lambda item: _rank(item.path.relative_to(ROOT / "tests")))


def _rank(place: Path) -> int:
    ranks = [number for number, folder in enumerate(LONGEST_FIRST) if place.is_relative_to(folder)]
    return ranks[0] if ranks else len(LONGEST_FIRST)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


DEMO = ROOT / "sadtalker_core" / "assets" / "demo"


@pytest.fixture(scope="session")
def demo_picture() -> torch.Tensor:
    """The demo portrait, (3, H, W) in [0, 1]."""
    picture = np.asarray(Image.open(DEMO / "portrait.jpg").convert("RGB"))
    return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="session")
def demo_speech():
    """The demo speech as a ``Waveform``."""
    from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform

    samples, rate = soundfile.read(DEMO / "speech.wav", dtype="float32", always_2d=True)
    return mono_waveform(torch.from_numpy(samples.T.copy()), rate)
