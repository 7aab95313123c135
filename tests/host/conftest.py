"""Registers the host tools as ``sadtalker_host`` and holds the one running ComfyUI that the tests share."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).resolve().parents[2]

if TYPE_CHECKING:
    from sadtalker_host.api import Client
    from sadtalker_host.server import Server


def _register_host() -> None:
    folder = ROOT / "host" / "sadtalker_host"
    spec = importlib.util.spec_from_file_location(
        "sadtalker_host", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sadtalker_host"] = module
    spec.loader.exec_module(module)


if "sadtalker_host" not in sys.modules:
    _register_host()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real ComfyUI with the pack, started once."""
    from sadtalker_host.environment import link_pack
    from sadtalker_host.places import find_places
    from sadtalker_host.server import Server

    places = find_places()
    if not ((places.comfy / "main.py").is_file() and places.server_python.is_file()):
        reason = f"no ComfyUI in {places.comfy}: run python host/test.py, which sets one up"
        if os.environ.get("SADTALKER_HOST_REQUIRED"):
            pytest.fail(reason)
        pytest.skip(reason)
    link_pack(places)
    # So that ending the test run from outside ends the server too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Server(places, tmp_path_factory.mktemp("comfyui")) as running:
        yield running


@pytest.fixture(scope="session")
def client(server: Server) -> Client:
    from sadtalker_host.api import Client

    return Client(server.url)
