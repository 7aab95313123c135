"""What the pack promises as a whole: layers, silence at import, nothing a registry's scanner objects to, sizes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def without_type_checking(tree: ast.Module) -> ast.Module:
    """The module as it runs: imports for the type checker alone are never executed."""

    class Remove(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                return node.orelse
            return self.generic_visit(node)

    return Remove().visit(tree)


def parsed(path: Path) -> ast.Module:
    return without_type_checking(ast.parse(path.read_text(encoding="utf-8")))


def fresh_interpreter(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "default", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_core_imports_without_comfyui_and_without_a_word():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources(CORE)
        if path.name != "__main__.py" and "training" not in path.parts
    ]
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"found = sorted(set(sys.modules) & {HOST_MODULES!r})\n"
        "assert not found, found\n"
    )
    done = fresh_interpreter(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    ours = [line for line in done.stderr.splitlines() if "sadtalker" in line]
    assert ours == []


def test_importing_the_root_imports_nothing_else():
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('pack', '__init__.py', submodule_search_locations=['.'])\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['pack'] = module\n"
        "before = set(sys.modules)\n"
        "spec.loader.exec_module(module)\n"
        "new = set(sys.modules) - before\n"
        "heavy = {name for name in new if name.split('.')[0] in {'torch', 'numpy', 'pack', 'comfy_api'}}\n"
        "assert not heavy, heavy\n"
        "assert not hasattr(module, 'NODE_CLASS_MAPPINGS')\n"
    )
    done = fresh_interpreter(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", [ROOT / "__init__.py", *sources(CORE)], ids=name)
def test_only_the_nodes_import_comfyui(path):
    assert [(module, line) for module, line in imported(parsed(path)) if module in HOST_MODULES] == []


@pytest.mark.parametrize("path", sources(CORE), ids=name)
def test_the_core_does_not_know_the_nodes(path):
    climbs = [
        node.lineno
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level > len(path.relative_to(CORE).parts)
    ]
    assert climbs == [], "a relative import leaves sadtalker_core"


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_the_archive_is_complete(path):
    """No module in it imports one that is left out."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found = (base.with_suffix(".py"), *((base / alias.name).with_suffix(".py") for alias in node.names))
            assert all(is_shipped(module) for module in found if module.exists()), (node.module, node.lineno)


@pytest.mark.parametrize("path", SHIPPED, ids=name)
def test_nothing_shipped_starts_processes_or_talks_to_the_network(path):
    tree = parsed(path)
    found = [(module, line) for module, line in imported(tree) if module in FORBIDDEN_MODULES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            found.append((node.func.id, node.lineno))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            full = (node.value.id, node.attr)
            if full in FORBIDDEN_ATTRIBUTES and not (full == ("torch", "load") and path == READER):
                found.append((".".join(full), node.lineno))
    assert found == []


@pytest.mark.parametrize("path", OWN, ids=name)
def test_files_and_functions_stay_readable(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{node.name} has {length} lines"


def test_the_open_pack_is_small_and_described():
    folder = CORE / "assets" / "open"
    files = sorted(folder.glob("*.safetensors"))
    assert files
    assert sum(path.stat().st_size for path in files) < 40e6
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert [path.name for path in files if path.name not in card] == []


def test_the_demo_files_say_where_they_come_from():
    folder = CORE / "assets" / "demo"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in folder.iterdir() if path.name != "README.md" and path.name not in readme] == []
