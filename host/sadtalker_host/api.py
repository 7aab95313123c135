"""A client of ComfyUI's HTTP interface: submit a graph, follow it over the websocket, fetch what it made."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from .errors import HostError

Graph = Mapping[str, Any]
"""A graph in API form: node number -> {'class_type', 'inputs', perhaps '_meta'}."""
DEFAULT_TIMEOUT = 1800.0
_HTTP_TIMEOUT = 60.0


class GraphError(HostError):
    """The server refused the graph, or a node failed. The server itself lives on."""

    def __init__(self, problem: str, *, node: str = "", traceback: str = "") -> None:
        super().__init__(problem)
        self.node = node
        self.traceback = traceback


class GraphInterruptedError(GraphError):
    """Somebody stopped the graph."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A node started (``done`` 0, ``total`` 0) or got on."""

    node: str
    title: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a node saved on the server."""

    node: str
    filename: str
    subfolder: str
    folder: str
    """'output', 'temp' or 'input'"""


@dataclass(frozen=True, slots=True)
class Finished:
    """A graph that ran to its end."""

    prompt_id: str
    files: tuple[OutputFile, ...]
    progress: tuple[Progress, ...]
    cached: tuple[str, ...]
    """nodes whose earlier result was used"""
    seconds: float
    """from submission to the end"""

    def file(self, *suffixes: str) -> OutputFile:
        """The first file with the first of ``suffixes``, e.g. '.mp4', that any file has."""
        for suffix in suffixes:
            for candidate in self.files:
                if candidate.filename.lower().endswith(suffix):
                    return candidate
        raise HostError(f"The graph saved no {' or '.join(suffixes)}; it saved {[f.filename for f in self.files]}.")


@dataclass(slots=True)
class _Run:
    graph: Graph
    on_progress: Callable[[Progress], None]
    prompt_id: str = ""
    progress: list[Progress] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    error: GraphError | None = None

    def report(self, node: str, done: int, total: int) -> None:
        step = Progress(node, node_title(self.graph, node), done, total)
        self.progress.append(step)
        self.on_progress(step)


class Client:
    """Talks to one server; every method waits for the answer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.client_id = uuid.uuid4().hex
        # Local traffic never belongs to a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def object_info(self) -> dict[str, Any]:
        """Every node the server knows, as the web page sees it."""
        return self._get_json("/object_info")

    def pack_nodes(self, pack: str) -> list[str]:
        """The ids of the nodes that came from the custom node folder ``pack``, sorted."""
        module = f"custom_nodes.{pack}"
        return sorted(name for name, info in self.object_info().items() if info.get("python_module") == module)

    def upload(self, path: Path, name: str | None = None) -> str:
        """Copy a picture, a recording or a video into the server's input folder.

        Returns:
            The name under which Load Image, Load Audio and Load Video find it.
        """
        name = name or path.name
        boundary = uuid.uuid4().hex
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        safe = name.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{safe}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        reply = json.loads(self._post("/upload/image", body, f"multipart/form-data; boundary={boundary}"))
        return "/".join(part for part in (reply["subfolder"], reply["name"]) if part)

    def run(
        self,
        graph: Graph,
        on_progress: Callable[[Progress], None] = lambda step: None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Finished:
        """Submit ``graph`` and follow it to its end.

        Raises:
            GraphError: the server refused it, or a node failed.
            GraphInterruptedError: it was stopped.
            HostError: the server went away, or ``timeout`` seconds passed.
        """
        run = _Run(graph, on_progress)
        started = time.monotonic()
        try:
            asyncio.run(asyncio.wait_for(self._follow(run), timeout))
        except asyncio.TimeoutError as error:  # another class than TimeoutError before Python 3.11
            self.interrupt()
            raise HostError(f"The graph did not end within {timeout:.0f} s and was interrupted.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise HostError(f"The connection to {self.url} broke: {error}", "Read the log of the server.") from error
        if run.error is not None:
            raise run.error
        seconds = time.monotonic() - started
        files = tuple(_output_files(self.history(run.prompt_id)))
        return Finished(run.prompt_id, files, tuple(run.progress), tuple(run.cached), seconds)

    def interrupt(self) -> None:
        """Stop the graph that runs; it ends at the next progress step of its node."""
        self._post("/interrupt", b"{}", "application/json")

    def forget(self) -> None:
        """Drop cached results and unload models, so that the next graph computes everything anew."""
        self._post("/free", b'{"unload_models": true, "free_memory": true}', "application/json")
        # The worker takes note when it next wakes; a graph submitted at once could come first.
        time.sleep(0.5)

    def history(self, prompt_id: str) -> dict[str, Any]:
        """The record of a graph that has ended."""
        return self._get_json(f"/history/{prompt_id}").get(prompt_id, {})

    def fetch(self, file: OutputFile) -> bytes:
        """The content of a saved file."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.folder}
        return self._open(urllib.request.Request(f"{self.url}/view?{urllib.parse.urlencode(query)}"))

    async def _follow(self, run: _Run) -> None:
        socket_url = f"{self.url}/ws?clientId={self.client_id}"
        async with aiohttp.ClientSession() as session, session.ws_connect(socket_url, max_msg_size=0) as socket:
            run.prompt_id = self._submit(run.graph)
            async for message in socket:
                # Binary messages are preview pictures.
                if message.type is aiohttp.WSMsgType.TEXT and _take(run, json.loads(message.data)):
                    return
        raise aiohttp.ClientConnectionError("the websocket closed before the graph ended")

    def _submit(self, graph: Graph) -> str:
        body = json.dumps({"prompt": graph, "client_id": self.client_id}).encode()
        request = urllib.request.Request(f"{self.url}/prompt", body, {"Content-Type": "application/json"})
        try:
            return str(json.loads(self._reply(request))["prompt_id"])
        except urllib.error.HTTPError as error:
            raise GraphError(rejection_text(graph, error.read())) from error

    def _get_json(self, path: str) -> dict[str, Any]:
        return json.loads(self._open(urllib.request.Request(self.url + path)))

    def _post(self, path: str, body: bytes, kind: str) -> bytes:
        return self._open(urllib.request.Request(self.url + path, body, {"Content-Type": kind}))

    def _open(self, request: urllib.request.Request) -> bytes:
        try:
            return self._reply(request)
        except urllib.error.HTTPError as error:
            text = error.read()[:500].decode(errors="replace")
            raise HostError(f"{request.full_url} refused with status {error.code}: {text or error.reason}") from error

    def _reply(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=_HTTP_TIMEOUT) as reply:
                return reply.read()
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, OSError) as error:
            raise HostError(f"{request.full_url} does not answer: {error}", "Read the log of the server.") from error


def node_title(graph: Graph, node: str) -> str:
    """What a person calls the node: its title in the graph, else its class."""
    # Nodes made by subgraphs and expansions carry ids such as '7.0.3'; their owner is what the person sees.
    entry = graph.get(node) or graph.get(node.split(".")[0]) or {}
    return str(entry.get("_meta", {}).get("title") or entry.get("class_type") or f"node {node}")


def rejection_text(graph: Graph, body: bytes) -> str:
    """The server's refusal of a graph in sentences."""
    try:
        reply = json.loads(body)
        error, by_node = reply["error"], reply.get("node_errors") or {}
    except (ValueError, KeyError, TypeError):
        return f"The server refused the graph: {body[:500].decode(errors='replace')}"
    if isinstance(error, str):
        return f"The server refused the graph: {error}"
    lines = [f"The server refused the graph: {_sentence(error)}"]
    for node, report in by_node.items():
        where = f"{node_title(graph, node)} (node {node}, {report.get('class_type', '?')})"
        lines += [f"  {where}: {_sentence(item)}" for item in report.get("errors", [])]
    return "\n".join(lines)


def _sentence(error: Mapping[str, Any]) -> str:
    return ": ".join(str(error[key]).rstrip(".") for key in ("message", "details") if error.get(key))


def _take(run: _Run, message: Mapping[str, Any]) -> bool:
    """Digest one message; True when the graph is over."""
    kind, data = message.get("type"), message.get("data") or {}
    if data.get("prompt_id") != run.prompt_id:
        return False
    if kind == "executing":
        if data.get("node") is None:
            # Sent after the record has entered the history, unlike 'execution_success'.
            return True
        run.report(str(data["node"]), 0, 0)
    elif kind == "progress":
        run.report(str(data["node"]), int(data["value"]), int(data["max"]))
    elif kind == "execution_cached":
        run.cached += [str(node) for node in data.get("nodes", [])]
    elif kind == "execution_error":
        run.error = _failure(run.graph, data)
    elif kind == "execution_interrupted":
        title = node_title(run.graph, str(data.get("node_id")))
        run.error = GraphInterruptedError(f"Interrupted in {title}.", node=str(data.get("node_id")))
    return False


def _failure(graph: Graph, data: Mapping[str, Any]) -> GraphError:
    node = str(data.get("node_id"))
    where = f"{node_title(graph, node)} (node {node}, {data.get('node_type')})"
    kind = str(data.get("exception_type", "")).rpartition(".")[2]
    text = str(data.get("exception_message", "")).strip()
    trace = "".join(data.get("traceback") or [])
    return GraphError(f"{where} failed: {text or kind}", node=node, traceback=trace)


def _output_files(record: Mapping[str, Any]) -> list[OutputFile]:
    files: list[OutputFile] = []
    for node, outputs in (record.get("outputs") or {}).items():
        for items in outputs.values():
            files += [
                OutputFile(node, item["filename"], item.get("subfolder", ""), item.get("type", "output"))
                for item in items
                if isinstance(item, dict) and "filename" in item
            ]
    return files
