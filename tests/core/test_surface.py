"""What the pack promises as a whole: rooms in order, silence at import, nothing that a scanner objects to, sizes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE, NODES = ROOT / "sadtalker_core", ROOT / "nodes"
HOST_MODULES = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "execution", "server"}
FORBIDDEN_MODULES = {
    "subprocess", "requests", "urllib", "urllib3", "http", "aiohttp", "socket", "ftplib",
    "pickle", "dill", "marshal", "shelve", "pip", "ctypes",
}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {("os", "system"), ("os", "popen"), ("os", "execv"), ("os", "spawnv"), ("torch", "load")}
READER = CORE / "files" / "read.py"
"""Opens torch checkpoints, with weights_only=True; ``tests/core/files`` shows that nothing in them runs."""
MODULE_LINES, FUNCTION_LINES = 400, 60

ROOMS = (
    "errors", "checks", "geometry", "progress", "files", "flow", "time_series", "pictures",
    "audio", "expnet", "posevae", "face", "render", "tracks", "dub", "pack", "controls", "finish",
    "pipeline", "talking_faces", "dub_video", "packs", "metrics", "training", "evaluation",
)  # fmt: skip
"""The rooms of the core from below to above: each imports only those before it (docs/architecture.md)."""


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


LEFT_OUT = [
    ROOT / line.strip("/")
    for line in (ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("/")
]


def is_shipped(path: Path) -> bool:
    """Whether the published archive holds it."""
    return not any(path == left_out or left_out in path.parents for left_out in LEFT_OUT)


SHIPPED = [ROOT / "__init__.py", *filter(is_shipped, sources(NODES, CORE))]
OWN = [ROOT / "__init__.py", *sources(NODES, CORE, ROOT / "host", ROOT / "benchmarks", ROOT / "tests")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Top-level names of the absolute imports, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def relative_imports(path: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """What a module imports from this repository, each as parts of its path below the root, with the line.

    Imports for the type checker alone are among them: they are arrows in the floor plan like all others.
    """
    folder = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*folder[: len(folder) - node.level + 1], *(node.module or "").split("."))
            yield from (((*filter(None, base), alias.name), node.lineno) for alias in node.names)


def fresh_interpreter(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "default", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_imports_are_silent_and_light():
    """The core needs no ComfyUI and says nothing; the root imports nothing at all."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources(CORE)
        if path.name != "__main__.py" and "training" not in path.parts
    ]
    done = fresh_interpreter(
        "import importlib, importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('pack', '__init__.py', submodule_search_locations=['.'])\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['pack'] = module\n"
        "before = set(sys.modules)\n"
        "spec.loader.exec_module(module)\n"
        "new = set(sys.modules) - before\n"
        "heavy = {name for name in new if name.split('.')[0] in {'torch', 'numpy', 'pack', 'comfy_api'}}\n"
        "assert not heavy, heavy\n"
        "assert not hasattr(module, 'NODE_CLASS_MAPPINGS')\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"found = sorted(set(sys.modules) & {HOST_MODULES!r})\n"
        "assert not found, found\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert [line for line in done.stderr.splitlines() if "sadtalker" in line] == []


def test_no_arrow_runs_upward():
    """Rooms import only what stands before them, packs do not know each other, and only the nodes know ComfyUI."""
    wrong = []
    found = {path.relative_to(CORE).parts[0].removesuffix(".py") for path in sources(CORE)} - {"__init__"}
    assert found == set(ROOMS)
    for path in sources(CORE):
        hosts = [(module, line) for module, line in imported(parsed(path)) if module in HOST_MODULES]
        wrong += [f"{name(path)}:{line} imports {module}" for module, line in hosts]
        if path == CORE / "__init__.py":
            continue
        here = path.relative_to(CORE).with_suffix("").parts
        for parts, line in relative_imports(path):
            arrow = f"{name(path)}:{line} -> {'/'.join(parts)}"
            if parts[0] != "sadtalker_core":
                wrong.append(f"{arrow} leaves sadtalker_core")
                continue
            there = parts[1:]
            if here[0] != there[0] and ROOMS.index(there[0]) > ROOMS.index(here[0]):
                wrong.append(f"{arrow} runs upward")
            if here[0] == there[0] == "packs" and len(here) > 2 and there[1] != here[1]:
                wrong.append(f"{arrow} enters another pack")
    assert wrong == []


def test_nothing_shipped_starts_processes_or_talks_to_the_network():
    wrong = []
    for path in SHIPPED:
        tree = parsed(path)
        wrong += [f"{name(path)}:{line} {module}" for module, line in imported(tree) if module in FORBIDDEN_MODULES]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                wrong.append(f"{name(path)}:{node.lineno} {node.func.id}")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                full = (node.value.id, node.attr)
                if full in FORBIDDEN_ATTRIBUTES and not (full == ("torch", "load") and path == READER):
                    wrong.append(f"{name(path)}:{node.lineno} {'.'.join(full)}")
    assert wrong == []


def test_the_archive_is_complete_and_stays_readable():
    """No shipped module imports one that is left out; files and functions keep their size, tests and tools included."""
    wrong = []
    for path in SHIPPED:
        for parts, line in relative_imports(path):
            for module in (ROOT.joinpath(*parts).with_suffix(".py"), ROOT.joinpath(*parts[:-1]).with_suffix(".py")):
                if module.exists() and not is_shipped(module):
                    wrong.append(f"{name(path)}:{line} imports {name(module)}, which the archive lacks")
    for path in OWN:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MODULE_LINES:
            wrong.append(f"{name(path)} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    wrong.append(f"{name(path)}:{node.lineno} {node.name} has {length} lines")
    assert wrong == []


def test_the_assets_are_small_and_described():
    folder = CORE / "assets" / "open"
    files = sorted(folder.glob("*.safetensors"))
    assert files
    assert sum(path.stat().st_size for path in files) < 40e6
    for folder, description in ((CORE / "assets" / "open", "MODEL_CARD.md"), (CORE / "assets" / "demo", "README.md")):
        text = (folder / description).read_text(encoding="utf-8")
        about = [path for path in folder.iterdir() if path.suffix not in (".md", ".txt") or folder.name == "demo"]
        assert [path.name for path in about if path.name not in text and path.name != description] == []
