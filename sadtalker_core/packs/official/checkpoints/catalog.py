"""A chosen file and those beside it -> the networks of one release."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from ....errors import WeightsError
from ....files.read import WeightFile, listing, read_weights, weight_files
from ..extractor import BASIS
from .detect import UNUSED, Component, find_components
from .rename import split_components

NETWORKS = ("audio2exp", "audio2pose", "kp_extractor", "generator", "face_3drecon")
"""What every release has, by the names of the published files."""
MAPPINGS = ("mapping_crop", "mapping_full")
"""At least one of these."""
EXPORTED = "official"
"""``release`` in the configuration of a file that ``export`` wrote."""


def find_release(path: Path) -> dict[str, WeightFile]:
    """The networks in a file; those it lacks are looked for, by content, in the other weight files of its folder.

    Of several files with a network the one that holds the fewest networks is taken.

    Returns:
        By ``NETWORKS`` and ``MAPPINGS``, of which one may be absent, the tensors by our names.

    Raises:
        WeightsError: a file cannot be used, a network is found nowhere, or in two files that are equally good.
    """
    chosen = read_weights(path)
    networks = _networks(chosen)
    if not networks:
        raise WeightsError(f"{path.name} holds none of SadTalker's networks{_what_instead(chosen)}.")
    missing = {*NETWORKS, *MAPPINGS} - networks.keys()
    unreadable: list[str] = []
    if missing:
        found, unreadable = _from_neighbours(path, missing)
        networks |= found
    lacking = [name for name in NETWORKS if name not in networks]
    if not any(name in networks for name in MAPPINGS):
        lacking.append("mapping")
    if lacking:
        raise WeightsError(
            f"{path.name} and the files beside it lack {', '.join(lacking)}. A release is one SadTalker_V0.0.2 file "
            "and a mapping file, or the separate files of the older release, all in one folder."
            + "".join(f" {reason}" for reason in unreadable)
        )
    return networks


def _networks(file: WeightFile) -> dict[str, WeightFile]:
    """The networks of one file that the pack uses, by our names; empty if it holds none."""
    _check_basis(file)
    if file.config.get("release") == EXPORTED:
        return _exported(file)
    components = find_components(file.tensors)
    if not _used(components):
        return {}
    parts = split_components(file, components)
    return {name: WeightFile(file.path, parts[name], file.config) for name in _used(components)}


def _exported(file: WeightFile) -> dict[str, WeightFile]:
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in file.tensors.items():
        name, _, rest = key.partition(".")
        parts.setdefault(name, {})[rest] = tensor
    unknown = sorted(set(parts) - {*NETWORKS, *MAPPINGS})
    if unknown:
        raise WeightsError(f"{file.path.name} holds unknown networks: {', '.join(unknown)}.")
    return {name: WeightFile(file.path, tensors, file.config) for name, tensors in parts.items()}


def _from_neighbours(path: Path, missing: set[str]) -> tuple[dict[str, WeightFile], list[str]]:
    """The missing networks as far as other files hold them, and why some files could not be read."""
    unreadable: list[str] = []
    offers: dict[str, list[tuple[int, WeightFile]]] = {}
    for neighbour in weight_files(path.parent):
        if neighbour.samefile(path):
            continue
        try:
            file = read_weights(neighbour)
            _check_basis(file)
        except WeightsError as error:
            unreadable.append(str(error))
            continue
        held = _used(find_components(file.tensors)) if file.config.get("release") != EXPORTED else []
        for name in missing.intersection(held):
            offers.setdefault(name, []).append((len(held), file))
    best = {name: _best(name, found) for name, found in offers.items()}
    parts = {file.path: _networks(file) for file in best.values()}
    return {name: parts[file.path][name] for name, file in best.items()}, unreadable


def _best(name: str, offers: list[tuple[int, WeightFile]]) -> WeightFile:
    fewest = min(count for count, _ in offers)
    best = [file for count, file in offers if count == fewest]
    if len(best) > 1:
        names = " and ".join(file.path.name for file in best)
        raise WeightsError(f"Both {names} hold the network {name}. Choose one of them, or keep one in the folder.")
    return best[0]


def _check_basis(file: WeightFile) -> None:
    basis = file.config.get("basis", BASIS)
    if basis != BASIS:
        raise WeightsError(
            f"{file.path.name} is made for coefficients of the basis '{basis}', official networks for '{BASIS}'."
        )


def _used(components: Iterable[Component]) -> list[str]:
    return [component.name for component in components if component.name not in UNUSED]


def _what_instead(file: WeightFile) -> str:
    kinds = sorted({component.name for component in find_components(file.tensors)} & UNUSED.keys())
    if kinds:
        return "; it is " + " and ".join(UNUSED[kind] for kind in kinds)
    return f", but tensors named {listing(list(file.tensors))}"
