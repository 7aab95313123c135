"""A person's face restoration file -> network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError
from torch import Tensor, nn

from ...checks import check_shape
from ...errors import WeightsError
from ...files.read import read_weights

FACE_SIDE = 512
"""Pixels of the aligned faces that restoration networks read and write."""
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    # Its noise is drawn anew at each call unless told otherwise, which flickers; its file holds a fixed one.
    "GFPGAN": {"return_rgb": False, "randomize_noise": False},
    "RestoreFormer": {},
}
"""How the networks are called, by the name that spandrel gives them."""
_MARKS = ("stylegan_decoder.style_mlp.1.weight", "quantize.embedding.weight")
"""Ends of a tensor's name in every file of the two; what stands before it is the group that holds the network."""
_PREFERRED_GROUPS = ("params_ema.", "")


class FaceRestorer(nn.Module):
    """Aligned faces (B, 3, 512, 512) in [0, 1] -> the same faces with the detail that they lack, in [0, 1]."""

    bytes_per_face = 1_000_000_000
    """Working memory beside the weights; on a processor half of it was measured."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        self.name = name

    @torch.inference_mode()
    def forward(self, faces: Tensor) -> Tensor:
        check_shape("faces", faces, f"B 3 {FACE_SIDE} {FACE_SIDE}")
        # Called past spandrel's own wrapper, which takes one picture at a time and scales GFPGAN's wrongly.
        restored = self.network(faces * 2 - 1, **_SETTINGS[self.name])[0]
        return (restored / 2 + 0.5).clamp(0, 1)


def load_restorer(path: Path) -> FaceRestorer:
    """Read a file of GFPGAN 1.2, 1.3 or 1.4, or of RestoreFormer; nothing in it is executed.

    Raises:
        WeightsError: the file is missing or damaged, or holds another network.
    """
    tensors = _network_tensors(read_weights(path).tensors)
    advice = "Use GFPGANv1.4.pth, GFPGANv1.3.pth, GFPGANCleanv1-NoCE-C2.pth (1.2) or RestoreFormer.pth."
    try:
        descriptor = ModelLoader().load_from_state_dict(tensors)
    except UnsupportedModelError as error:
        raise WeightsError(f"{path.name} holds no network that restores faces. {advice}") from error
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path.name} does not fit the network it seems to hold ({reason}). {advice}") from error
    if not isinstance(descriptor, ImageModelDescriptor) or descriptor.architecture.id not in _SETTINGS:
        kind = descriptor.architecture.name
        raise WeightsError(f"{path.name} is a network of the kind {kind}, which restores no faces here. {advice}")
    return FaceRestorer(descriptor.model, descriptor.architecture.id).eval().requires_grad_(False)


def _network_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the network alone, by its own names."""
    groups = sorted({name.removesuffix(mark) for name in tensors for mark in _MARKS if name.endswith(mark)})
    if not groups:
        return dict(tensors)
    group = next((preferred for preferred in _PREFERRED_GROUPS if preferred in groups), groups[0])
    return {name.removeprefix(group): tensor for name, tensor in tensors.items() if name.startswith(group)}
