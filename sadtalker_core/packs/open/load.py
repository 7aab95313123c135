"""The composition root of the open pack: files in ``assets/open`` -> ``Pack``."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ...expnet.model import ExpNet
from ...face.landmarks import load_landmarker
from ...face.morphable import load_morphable_model
from ...files.assets import OPEN_ASSETS
from ...files.read import load_strictly, read_safetensors
from ...pack import Pack
from ...posevae.model import PoseVAE, PoseVAEConfig
from ...posevae.predict import PoseSampling
from .dubber import MeshDubber
from .extractor import MeshExtractor
from .mapping import MeshMapping
from .renderer import MeshRenderer

POSE_SAMPLING = PoseSampling(blend=24, limit=(0.3, 0.4, 0.3, 0.35, 0.35, 0.7), smoothing=1)
"""Blends over three quarters of a block: long enough that neither a step nor a turn at a seam is larger than elsewhere.
Nothing is smoothed: the tracks tremble no more than people's heads do, and the small nods at a word stay. The limits,
radians and canonical units, are what the mesh renderer shows well."""
SPEECH_SMOOTHING = 0.32
"""Nearly the mean of three frames: so lips follow voices better that were never heard, and still meet at p, b and m."""


def load_open_pack(folder: Path = OPEN_ASSETS) -> Pack:
    """Load the pack that ships with the repository, float32, on the CPU, in inference mode.

    Raises:
        WeightsError: a file is missing, damaged, or does not fit its network.
    """
    landmarker = load_landmarker(folder / "landmarker.safetensors")
    model = load_morphable_model(folder / "morphable.safetensors")
    expnet = load_expnet(folder / "expnet.safetensors")
    posevae = load_posevae(folder / "posevae.safetensors")
    pack = Pack(
        name="open",
        basis=model.basis,
        landmarker=landmarker,
        extractor=MeshExtractor(model),
        expnet=expnet,
        posevae=posevae,
        mapping=MeshMapping(model),
        renderer=MeshRenderer(),
        speech_smoothing=SPEECH_SMOOTHING,
        pose_sampling=POSE_SAMPLING,
        dubber=MeshDubber,
        vertices=model,
    )
    for module in pack.modules.values():
        _freeze(module)
    return pack


def load_expnet(path: Path) -> ExpNet:
    """The expression network from its file, in inference mode."""
    expnet = ExpNet()
    load_strictly(expnet, read_safetensors(path))
    return expnet.eval()


def load_posevae(path: Path) -> PoseVAE:
    """The head-pose network from its file, in inference mode; the number of styles is in the file's configuration."""
    file = read_safetensors(path)
    posevae = PoseVAE(PoseVAEConfig(**file.config))
    load_strictly(posevae, file)
    return posevae.eval()


def _freeze(module: nn.Module) -> None:
    module.eval().requires_grad_(False)
