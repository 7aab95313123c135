"""The demo: from whatever the machine has to a talking-head video, through a real ComfyUI."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .console import say
from .environment import prepare
from .errors import HostError
from .graphs import MutableGraph, find_graph, read_graph, upload_demo_files, with_files
from .places import LINK_NAME, ON_WINDOWS, Places, find_places
from .server import Server

if TYPE_CHECKING:
    from .api import Client, Finished, Progress

_INSIDE = "SADTALKER_HOST_INSIDE"
"""Set to the interpreter for the second start of this program, which runs inside the environment."""
_VIDEO = (".mp4", ".webm", ".mkv", ".mov")
_OTHER = (".png", ".jpg", ".webp", ".flac", ".wav", ".mp3", ".opus")


def main(arguments: Sequence[str]) -> int:
    """Run the demo program; returns its exit status."""
    options = _parser().parse_args(arguments)
    places = find_places()
    _check_options(options, places)
    python = str(places.server_python)
    if os.environ.get(_INSIDE) == python:
        return _run(options, places)
    prepare(places, with_venv=False)
    return _start_again(python, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="host/demo.py",
        description="Makes a portrait speak, in a real ComfyUI that is set up on first use.",
        epilog="COMFYUI_DIR=/their/ComfyUI uses an installation of your own (COMFYUI_PYTHON its Python, COMFYUI_ARGS "
        "further arguments); SADTALKER_CACHE moves the cache; SADTALKER_DEVICE=cpu keeps a GPU out of it.",
    )
    parser.add_argument("--portrait", type=Path, metavar="P", help="picture with a face (default: the demo portrait)")
    parser.add_argument("--audio", type=Path, metavar="A", help="recording of speech (default: the demo speech)")
    parser.add_argument("--out", type=Path, metavar="O", help="where to put the video (default: in the cache)")
    parser.add_argument(
        "--workflow", default="talking_head", metavar="FILE", help="graph in API form, or the name of an example graph"
    )
    parser.add_argument("--list-nodes", action="store_true", help="print the pack's node ids as the host reports them")
    parser.add_argument("--port", type=int, help="port for ComfyUI, if it is free (default: any free one)")
    parser.add_argument("--serve", action="store_true", help="leave ComfyUI running for the browser until Ctrl-C")
    return parser


def _check_options(options: argparse.Namespace, places: Places) -> None:
    """Find mistakes before anything is downloaded."""
    for flag, path in (("--portrait", options.portrait), ("--audio", options.audio)):
        if path is not None and not path.is_file():
            raise HostError(f"{flag} {path}: there is no such file.")
    if options.out is not None and options.out.is_dir():
        raise HostError(f"--out {options.out} is a folder.", "Give the name of the video file.")
    if not (options.list_nodes or options.serve):
        read_graph(find_graph(places.root, options.workflow))


def _start_again(python: str, arguments: Sequence[str]) -> int:
    """Run this program once more with the environment's interpreter, which has the packages that ``api`` needs."""
    script = str(Path(__file__).resolve().parents[1] / "demo.py")
    command = [python, script, *arguments]
    environ = {**os.environ, _INSIDE: python}
    sys.stdout.flush()
    if not ON_WINDOWS:
        # The same process: a signal to it reaches the program that holds the server.
        os.execve(python, command, environ)
    return subprocess.run(command, env=environ, check=False).returncode


def _run(options: argparse.Namespace, places: Places) -> int:
    from .api import Client

    homes = places.cache / "host"
    homes.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="demo-", dir=homes))
    failed = False
    try:
        with Server(places, home, port=options.port) as server:
            client = Client(server.url)
            nodes = check_pack(client, server)
            if options.list_nodes:
                print("\n".join(nodes))
            elif options.serve:
                _serve(server, places)
            else:
                _make_video(client, options, places)
    except HostError:
        failed = True
        raise
    finally:
        if not failed:  # after an error the folder stays, for its log
            shutil.rmtree(home, ignore_errors=True)
    return 0


def check_pack(client: Client, server: Server) -> list[str]:
    """The ids of the pack's nodes on the running server.

    Raises:
        HostError: the server did not load the pack; carries the end of its log.
    """
    nodes = client.pack_nodes(LINK_NAME)
    if not nodes:
        raise HostError(
            f"ComfyUI runs, but the pack did not load (log: {server.log_path}).",
            "Read the traceback from its log above.",
            _loading_error(server),
        )
    return nodes


def _loading_error(server: Server) -> str:
    """The part of the server's log that says why the pack did not load, or else its end."""
    log = server.tail(2000)
    start = log.find("Traceback (most recent call last)")
    end = log.find("Import times for custom nodes")
    return log[start:end].strip() if 0 <= start < end else server.tail(60)


def _serve(server: Server, places: Places) -> None:
    for path in _demo_folder(places).glob("*.*"):
        shutil.copy(path, server.input_folder)
    say(f"[host] open {server.url} in a browser; Ctrl-C here ends it")
    while server.alive:
        try:
            server.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
    raise HostError("ComfyUI ended by itself.", "Read the end of its log above.", server.tail())


def _make_video(client: Client, options: argparse.Namespace, places: Places) -> None:
    path = find_graph(places.root, options.workflow)
    graph = _filled_graph(client, read_graph(path), options, places)
    say(f"[host] running {path.name}")
    finished = client.run(graph, ProgressLines())
    say(f"[host] finished in {finished.seconds:.1f} s")
    print(_save(client, finished, path.stem, options.out, places))


def _filled_graph(client: Client, graph: MutableGraph, options: argparse.Namespace, places: Places) -> MutableGraph:
    portrait = client.upload(options.portrait) if options.portrait else None
    audio = client.upload(options.audio) if options.audio else None
    graph = with_files(graph, portrait, audio)
    upload_demo_files(client, graph, _demo_folder(places), frozenset(name for name in (portrait, audio) if name))
    return graph


def _save(client: Client, finished: Finished, stem: str, out: Path | None, places: Places) -> Path:
    """Fetch the video, or what else the graph saved, and write it down."""
    file = finished.file(*_VIDEO, *_OTHER)
    target = out or places.cache / "output" / f"{stem}{Path(file.filename).suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(client.fetch(file))
    return target.resolve()


def _demo_folder(places: Places) -> Path:
    return places.root / "sadtalker_core" / "assets" / "demo"


class ProgressLines:
    """Prints a line when a node starts and at every tenth of its work."""

    def __init__(self) -> None:
        self._node = ""
        self._tenth = 0

    def __call__(self, step: Progress) -> None:
        if step.node != self._node:
            self._node, self._tenth = step.node, 0
            say(f"      {step.title}")
        tenth = 10 * step.done // step.total if step.total else 0
        if tenth > self._tenth:
            self._tenth = tenth
            say(f"      {step.title}: {step.done}/{step.total}")
