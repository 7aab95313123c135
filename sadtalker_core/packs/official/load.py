"""The composition root of the official pack: a person's checkpoint files -> ``Pack``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ...errors import WeightsError
from ...expnet.model import ExpNet
from ...face.landmarks import FaceLandmarker, load_landmarker
from ...files.assets import OPEN_ASSETS
from ...files.read import WeightFile, load_strictly
from ...pack import Pack
from ...posevae.model import PoseVAE, PoseVAEConfig
from .checkpoints.catalog import find_release
from .dubber import NeuralDubber
from .extractor import BASIS, RegressorExtractor
from .mapping import CROP_CHANNELS, FULL_CHANNELS, KeypointMapping, MappingNetwork
from .renderer import NeuralRenderer

SIZES = (256, 512)
"""Pixels of the pictures that the two published releases were trained on."""


def load_official_pack(path: Path, *, size: int | None = None) -> Pack:
    """Load the release that a file belongs to, float32, on the CPU, in inference mode.

    Args:
        path: any weight file of the release; what it lacks is found beside it.
        size: 256 or 512, what the networks were trained on. It is the one fact that the tensors do not tell; None
            takes it from the file with the generator: from its configuration if it is of our own making, else from
            its name, else 256, which is what all releases of separate files have.

    Raises:
        WeightsError: a file is damaged, does not fit its network, or a network is missing.
    """
    release = find_release(path)
    drawing = release["generator"]
    size = size or drawing.config.get("size") or _size_in_name(drawing.path.name)
    if size not in SIZES:
        raise WeightsError(f"The networks in {drawing.path.name} draw 256 or 512 pixels; got the size {size}.")
    with torch.device("meta"):  # no time and memory for weights that are replaced at once
        pack = _build(release, size)
    for name, network in official_networks(pack).items():
        load_strictly(network, release[name])
    for module in pack.modules.values():
        module.eval().requires_grad_(False)
    return replace(pack, landmarker=load_landmarker(OPEN_ASSETS / "landmarker.safetensors"))


def official_size(pack: Pack) -> int:
    """Side in pixels of the pictures that the networks of an official pack draw."""
    assert isinstance(pack.extractor, RegressorExtractor)
    return pack.extractor.size


def official_networks(pack: Pack) -> dict[str, nn.Module]:
    """The networks of an official pack by the names of ``catalog``."""
    extractor, mapping, renderer = pack.extractor, pack.mapping, pack.renderer
    if not (
        isinstance(extractor, RegressorExtractor)
        and isinstance(mapping, KeypointMapping)
        and isinstance(renderer, NeuralRenderer)
    ):
        raise WeightsError(f"The pack '{pack.name}' does not consist of the official networks.")
    networks: dict[str, nn.Module | None] = {
        "audio2exp": pack.expnet,
        "audio2pose": pack.posevae,
        "kp_extractor": mapping.detector,
        "generator": renderer.generator,
        "face_3drecon": extractor.regressor,
        "mapping_crop": mapping.crop,
        "mapping_full": mapping.full,
    }
    return {name: network for name, network in networks.items() if network is not None}


def _build(release: Mapping[str, WeightFile], size: int) -> Pack:
    """The pack without weights."""
    classes = release["audio2pose"].tensors.get("decoder.classbias")
    styles = PoseVAEConfig().styles if classes is None else classes.shape[0]
    crop, full = (
        MappingNetwork(channels) if name in release else None
        for name, channels in (("mapping_crop", CROP_CHANNELS), ("mapping_full", FULL_CHANNELS))
    )
    return Pack(
        name=f"official {size}",
        basis=BASIS,
        landmarker=FaceLandmarker(),
        extractor=RegressorExtractor(size),
        expnet=ExpNet(),
        posevae=PoseVAE(PoseVAEConfig(styles)),
        mapping=KeypointMapping(crop=crop, full=full),
        renderer=NeuralRenderer(),
        dubber=NeuralDubber,
        scales_about_own=False,
    )


def _size_in_name(name: str) -> int:
    """256 or 512 if the name holds exactly one of them, else 256."""
    found = {int(number) for number in re.findall(r"(?<!\d)(256|512)(?!\d)", name)}
    return found.pop() if len(found) == 1 else SIZES[0]
