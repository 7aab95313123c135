"""A ComfyUI process: started on a free port with folders of its own, watched, and stopped."""

from __future__ import annotations

import atexit
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .console import say, tail
from .environment import command_environment, thread_limits
from .errors import HostError
from .places import LINK_NAME, ON_WINDOWS, Places

START_SECONDS = 300.0
STOP_SECONDS = 10.0
_PORT_TAKEN = ("address already in use", "10048", "errno 98", "errno 48")


class Server:
    """One ComfyUI with input, output, temporary and user folders under ``home``, and this pack as its custom node.

    ComfyUI's own folder is only read. Other custom nodes of a person's installation are not loaded, so that a run
    says something about this pack alone. Use it as a context manager.
    """

    def __init__(self, places: Places, home: Path, *, port: int | None = None, extra_args: Sequence[str] = ()) -> None:
        self.places = places
        self.home = home
        self.log_path = home / "comfyui.log"
        self.extra_args = (*extra_args, *shlex.split(os.environ.get("COMFYUI_ARGS", "")))
        self._wanted_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def input_folder(self) -> Path:
        return self.home / "input"

    @property
    def output_folder(self) -> Path:
        return self.home / "output"

    @property
    def models_folder(self) -> Path:
        """Where this server looks for official checkpoints, beside the installation's own ``models/sadtalker``."""
        return self.home / "models" / "sadtalker"

    @property
    def memory_mib(self) -> float:
        """Resident memory of the process, MiB; Linux only."""
        assert self._process is not None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tail(self, lines: int = 25) -> str:
        """The end of the log."""
        return tail(self.log_path, lines)

    def wait(self, timeout: float) -> None:
        """Wait for the process to end by itself; raises ``subprocess.TimeoutExpired`` if it does not."""
        if self._process is not None:
            self._process.wait(timeout)

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start the process and return when it answers.

        Raises:
            HostError: it ended or did not answer within ``timeout`` seconds; carries the end of its log.
        """
        for folder in ("input", "output", "temp", "user", "models/sadtalker"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self._write_search_path()
        started = time.monotonic()
        for attempt in range(3):
            self.port = choose_port(self._wanted_port)
            say(f"[host] starting ComfyUI at {self.url} (log: {self.log_path})")
            self._launch()
            if self._answers(started + timeout):
                say(f"[host] ComfyUI answers after {time.monotonic() - started:.0f} s")
                return
            lost_port = any(mark in self.tail(60).lower() for mark in _PORT_TAKEN)
            if attempt == 2 or not lost_port:
                break
            # Somebody took the port between choosing and binding it.
            self._wanted_port = None
        alive = self.alive
        self.stop()
        problem = f"did not answer within {timeout:.0f} s" if alive else "ended while starting"
        raise HostError(f"ComfyUI {problem} (log: {self.log_path}).", "Read the end of its log above.", self.tail())

    def stop(self) -> None:
        """End the process and everything it started; safe to call twice."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return
        if process.poll() is None:
            _interrupt(process)
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        _kill_group(process)
        process.wait()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def command(self) -> list[str]:
        """The command line of the process."""
        home = self.home.resolve()
        folders = [f"--{name}-directory={home / name}" for name in ("input", "output", "user")]
        return [
            str(self.places.server_python),
            "-u",
            str(self.places.comfy / "main.py"),
            f"--port={self.port}",
            *folders,
            f"--temp-directory={home}",  # ComfyUI appends 'temp' by itself
            f"--database-url=sqlite:///{(home / 'comfyui.db').as_posix()}",
            f"--extra-model-paths-config={home / 'search_paths.yaml'}",
            "--disable-all-custom-nodes",
            "--whitelist-custom-nodes",
            LINK_NAME,
            "--disable-api-nodes",  # nor does the web page then ask the internet
            "--disable-auto-launch",
            *device_arguments(self.places.server_python),
            *self.extra_args,
        ]

    def _write_search_path(self) -> None:
        # JSON is YAML too, and quotes a Windows path correctly.
        folders = {"custom_nodes": str(self.places.custom_nodes), "sadtalker": str(self.models_folder)}
        paths = {"sadtalker_host": folders}
        (self.home / "search_paths.yaml").write_text(json.dumps(paths) + "\n", encoding="utf-8")

    def _launch(self) -> None:
        environ = self._environment()
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
                # A group of its own: Ctrl-C at the terminal reaches us, and we stop the server in order.
                start_new_session=not ON_WINDOWS,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        atexit.register(self.stop)

    def _environment(self) -> dict[str, str]:
        if self.places.foreign_python is None:
            environ = command_environment(self.places)
        else:
            environ = {**os.environ, **thread_limits(os.environ)}
        if not self.places.own_comfy:
            environ["PYTHONDONTWRITEBYTECODE"] = "1"
        return {**environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}

    def _answers(self, deadline: float) -> bool:
        while self.alive and time.monotonic() < deadline:
            if answers(f"{self.url}/queue"):
                return True
            time.sleep(0.25)
        return False


def answers(url: str) -> bool:
    """Whether something replies at ``url``; a proxy from the environment is not asked."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def choose_port(wanted: int | None = None) -> int:
    """``wanted`` if it is free, else any free port of this machine."""
    if wanted:
        try:
            return _bind(wanted)
        except OSError:
            say(f"[host] port {wanted} is taken; using a free one")
    return _bind(0)


def device_arguments(python: Path) -> list[str]:
    """``--cpu`` unless this machine and this torch can compute on something faster. SADTALKER_DEVICE=cpu forces it."""
    if os.environ.get("SADTALKER_DEVICE", "").lower() == "cpu" or not _may_have_accelerator():
        return ["--cpu"]
    probe = "import torch; raise SystemExit(not (torch.cuda.is_available() or torch.backends.mps.is_available()))"
    done = subprocess.run([str(python), "-c", probe], capture_output=True, timeout=300, check=False)
    return [] if done.returncode == 0 else ["--cpu"]


def _may_have_accelerator() -> bool:
    """A cheap look before torch is imported, which takes seconds."""
    known = (Path("/dev/nvidia0"), Path("/dev/kfd"), Path("/dev/dxg"))
    return sys.platform == "darwin" or bool(shutil.which("nvidia-smi")) or any(path.exists() for path in known)


def _bind(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ask as Ctrl-C does, so that ComfyUI clears its temporary folder."""
    try:
        process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
    except OSError:
        pass


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (OSError, ProcessLookupError):
        pass
