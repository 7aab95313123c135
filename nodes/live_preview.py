"""The picture in an Expression Editor node that follows the sliders: a route of the host's own server.

POST /sadtalker/preview with {"token": ..., "values": {name: number}} returns a JPEG, or {"error": ...} with a status:
400 the request is not valid, 404 the portrait is no longer kept (run the node again), 409 the machine is busy (try
again later), 413 the request is too large. It reads no files and draws only portraits that an Expression Editor has
shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image
from torch import Tensor

from ..sadtalker_core.controls.preview import PreviewSubject, draw_subject, prepare_subject
from ..sadtalker_core.controls.sliders import NAMES, check_value
from ..sadtalker_core.errors import ControlError, SadTalkerError
from ..sadtalker_core.flow import SourceFace, move_to
from ..sadtalker_core.pictures.levels import levels_of
from .host import HostedPack, render_memory, to_host

LOG = logging.getLogger(__name__)
ROUTE = "/sadtalker/preview"
MAX_BODY = 16_384
"""Largest request in bytes; one with all sliders has about 600."""
MAX_SUBJECTS = 8
"""Number of portraits that are kept; the oldest is dropped."""
JPEG_QUALITY = 88
_RUNNING = "The queue is running."


@dataclass
class _Kept:
    pack: HostedPack
    face: SourceFace
    directions: Tensor | None
    subject: PreviewSubject | None = None
    """prepared at the first request"""


class Subjects:
    """The portraits that editors have shown, by random tokens."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._drawing = threading.Lock()

    def add(self, pack: HostedPack, face: SourceFace, directions: Tensor | None) -> str:
        """Keep a portrait; returns its token."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[token] = _Kept(pack, to_host(face), to_host(directions))
            while len(self._kept) > MAX_SUBJECTS:
                self._kept.popitem(last=False)
        return token

    def draw(self, token: str, values: Mapping[str, float], idle: AbstractContextManager[None]) -> bytes:
        """JPEG of the portrait with the values of the sliders.

        Args:
            idle: entered while the networks are moved to their device; no graph may start during this time.

        Raises:
            UnknownTokenError: the portrait is not kept, or no longer.
            BusyError: another picture is being drawn, or ``idle`` raises it.
            SadTalkerError: the values cannot be drawn.
        """
        with self._lock:
            kept = self._kept.get(token)
        if kept is None:
            raise UnknownTokenError("This portrait is no longer kept. Run the graph again.")
        if not self._drawing.acquire(blocking=False):
            raise BusyError("Another preview is being drawn.")
        try:
            return _jpeg(_draw(kept, values, idle))
        finally:
            self._drawing.release()


class UnknownTokenError(SadTalkerError):
    """A preview was requested for a portrait that is not kept."""


class BusyError(SadTalkerError):
    """A preview was requested while the machine is busy."""


SUBJECTS = Subjects()


def read_request(body: bytes) -> tuple[str, dict[str, float]]:
    """Token and values of a request.

    Raises:
        ControlError: the request is not valid, or a value is out of range.
    """
    try:
        content = json.loads(body)
    except ValueError as error:  # bad JSON and bad UTF-8
        raise ControlError("Expected JSON.") from error
    except RecursionError as error:
        raise ControlError("The JSON is nested too deeply.") from error
    if not isinstance(content, dict) or set(content) != {"token", "values"}:
        raise ControlError('Expected {"token": ..., "values": {...}}.')
    token, values = content["token"], content["values"]
    if not isinstance(token, str) or not isinstance(values, dict):
        raise ControlError("Expected a string as token and an object as values.")
    checked: dict[str, float] = {}
    for name, value in values.items():
        if name not in NAMES:
            raise ControlError(f"There is no slider '{name[:40]}'.")
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e6:
            raise ControlError(f"Expected a number for {name}.")
        checked[name] = check_value(name, float(value))
    return token, checked


async def answer(body: bytes, queue: Any) -> tuple[int, bytes | str]:
    """Status and JPEG, or status and reason, for the body of a request.

    Args:
        queue: the host's queue of graphs.
    """
    try:
        token, values = read_request(body)
        return 200, await asyncio.to_thread(SUBJECTS.draw, token, values, _while_idle(queue))
    except UnknownTokenError as error:
        return 404, str(error)
    except BusyError as error:
        return 409, str(error)
    except SadTalkerError as error:
        return 400, str(error)
    except RuntimeError as error:
        if not queue.get_tasks_remaining():
            raise
        # A graph that has started in the meantime moved the networks off the device.
        LOG.debug("A preview was abandoned: %s", error)
        return 409, _RUNNING


def add_preview_route() -> None:
    """Add the route to the host's server; does nothing if there is no server (in a test or a tool)."""
    from server import PromptServer, web

    server = getattr(PromptServer, "instance", None)
    if server is None:
        return

    async def preview(request: Any) -> Any:
        body = b""
        async for part in request.content.iter_chunked(4096):
            body += part
            if len(body) > MAX_BODY:
                return web.json_response({"error": f"Expected at most {MAX_BODY} bytes."}, status=413)
        status, content = await answer(body, server.prompt_queue)
        if isinstance(content, str):
            return web.json_response({"error": content}, status=status)
        return web.Response(body=content, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    server.routes.post(ROUTE)(preview)


@contextmanager
def _while_idle(queue: Any) -> Iterator[None]:
    """Hold the host's queue, so that no graph starts; raises ``BusyError`` if one runs, since it uses the networks."""
    with queue.mutex:
        if queue.queue or queue.currently_running:
            raise BusyError(_RUNNING)
        yield


def _draw(kept: _Kept, values: Mapping[str, float], idle: AbstractContextManager[None]) -> Tensor:
    core = kept.pack.core
    memory = render_memory(core.renderer, kept.face.cropped[0].numel(), 1)
    with idle:
        device = kept.pack.load("mapping", "renderer", memory_required=memory)
    if kept.subject is None:
        directions = None if kept.directions is None else kept.directions.to(device)
        kept.subject = prepare_subject(core, move_to(kept.face, device), directions)
    return draw_subject(core, kept.subject, values)


def _jpeg(frame: Tensor) -> bytes:
    file = BytesIO()
    Image.fromarray(levels_of(frame)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
