"""Load Models."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..sadtalker_core.files.assets import OPEN_ASSETS
from ..sadtalker_core.files.read import SUFFIXES, weight_files
from ..sadtalker_core.pack import Pack
from ..sadtalker_core.packs import table
from ..sadtalker_core.packs.official.load import SIZES
from ..sadtalker_core.packs.open.load import load_open_pack
from ..sadtalker_core.packs.table import PackKind
from . import sockets
from .host import HostedPack, check_choice, host_pack

FOLDER = "sadtalker"
"""Folder of the official checkpoints, below ComfyUI's models folder and in extra_model_paths.yaml."""
EVALUATION = "evaluation"
"""Folder in it for the weights of the measures, which are no models to choose."""
OPEN = "open (built in)"
AUTOMATIC = "auto"
OFFICIAL_SIZES = (AUTOMATIC, *map(str, SIZES))


def register_folders() -> None:
    """Tell the host of the packs' folders, and which files in them are models; folders that a person added stay."""
    for folder in _folders():
        folder_paths.add_model_folder_path(folder, str(Path(folder_paths.models_dir) / folder))
        paths, _ = folder_paths.folder_names_and_paths[folder]
        folder_paths.folder_names_and_paths[folder] = (paths, set(SUFFIXES))


def choices() -> list[str]:
    """What the list of models shows: the packs that come with the nodes, then a person's files."""
    files = [name for folder in _folders() for name in folder_paths.get_filename_list(folder)]
    return [*_built_in(), *(name for name in files if Path(name).parts[0] != EVALUATION)]


def load_pack(model: str, official_size: str) -> Pack:
    """The pack that a choice stands for."""
    if model in _built_in():
        return _built_in()[model].load(None, None)
    kind, path = _kind_of_file(model)
    return kind.load(path, None if official_size == AUTOMATIC else int(official_size))


def hosted_open_pack() -> HostedPack:
    """The pack that comes with the nodes, under the host's model manager."""
    return host_pack(load_open_pack())


def open_pack_fingerprint() -> str:
    """Changes when a weight file of the open pack does."""
    return _fingerprint(OPEN_ASSETS)


class LoadModels(io.ComfyNode):
    """File choice -> PACK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerLoadModels",
            display_name="Load Models",
            category="SadTalker/load",
            description="Loads the networks that all other SadTalker nodes use. To run the same graph with other "
            "networks, change only the choice here.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=choices(),
                    default=OPEN,
                    tooltip="'open (built in)' comes with the nodes and needs no download. Official SadTalker "
                    f"checkpoints in the folder models/{FOLDER} are listed below it. Choose any file of a release; the "
                    "other files are found in the same folder.",
                ),
                io.Combo.Input(
                    "official_size",
                    options=list(OFFICIAL_SIZES),
                    default=AUTOMATIC,
                    optional=True,
                    tooltip="Size in pixels of the pictures that an official release was trained on. The files do not "
                    "contain it: 'auto' takes 256 or 512 from the file name, and 256 if the name has neither. It has "
                    "no effect on the open networks.",
                ),
            ],
            outputs=[sockets.Pack.Output(display_name="pack", tooltip="The networks of all stages.")],
        )

    @classmethod
    def validate_inputs(cls, model: str | None = None, official_size: str | None = None) -> bool | str:
        checked = check_choice("model", model, choices())
        return checked if checked is not True else check_choice("official_size", official_size, OFFICIAL_SIZES)

    @classmethod
    def fingerprint_inputs(cls, model: str, official_size: str = AUTOMATIC) -> str:
        if model in _built_in():
            return open_pack_fingerprint()
        paths = (folder_paths.get_full_path(folder, model) for folder in _folders())
        return next((_fingerprint(Path(path).parent) for path in paths if path), "")

    @classmethod
    def execute(cls, model: str, official_size: str = AUTOMATIC) -> io.NodeOutput:
        return io.NodeOutput(host_pack(load_pack(model, official_size)))


def _built_in() -> dict[str, PackKind]:
    """The packs that come with the nodes, by the name in the list of models."""
    return {f"{kind.name} (built in)": kind for kind in table.KINDS if kind.folder is None}


def _folders() -> list[str]:
    """The host's model folders that packs are loaded from."""
    return [kind.folder for kind in table.KINDS if kind.folder is not None]


def _kind_of_file(model: str) -> tuple[PackKind, Path]:
    """The kind of pack in whose folder a chosen file lies, and its path; the host's error where it lies in none."""
    kinds = [kind for kind in table.KINDS if kind.folder is not None]
    for kind in kinds:
        if path := folder_paths.get_full_path(kind.folder, model):
            return kind, Path(path)
    return kinds[-1], Path(folder_paths.get_full_path_or_raise(kinds[-1].folder, model))


def _fingerprint(folder: Path) -> str:
    """Changes when a weight file in a folder does, or comes or goes."""
    facts = ((path.name, path.stat()) for path in weight_files(folder))
    return ";".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in facts)


register_folders()
