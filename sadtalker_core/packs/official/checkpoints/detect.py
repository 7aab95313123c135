"""Which networks a weight file holds, told from the names and shapes of its tensors, never from its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..mapping import FULL_CHANNELS

SIGNATURES: Mapping[str, tuple[str, ...]] = {
    "audio2exp": ("mapping1.weight", "mapping1.bias"),
    "audio2pose": ("netG.decoder.classbias", "netG.decoder.pose_linear.weight"),
    "kp_extractor": ("predictor.up_blocks.up0.conv.weight", "predictor.conv.weight"),
    "generator": ("dense_motion_network.mask.weight", "dense_motion_network.occlusion.weight"),
    "face_3drecon": ("final_layers.6.weight", "final_layers.1.weight"),
    "mapping": ("encoder0.1.weight", "encoder2.1.weight"),
    "he_estimator": ("block1.b1_0.conv1.weight", "block7.b7_0.conv1.weight"),
    "landmark network": ("bn_end3.weight", "bn_end0.weight"),
    "face detector": ("LandmarkHead.2.conv1x1.weight", "LandmarkHead.0.conv1x1.weight"),
}
"""Tensors that only this network has, below a prefix; any of them will do, so that strict loading can say what is
missing. The names are those of the published files; 'mapping' becomes 'mapping_crop' or 'mapping_full'."""
UNUSED = {
    "he_estimator": "the head-pose estimator, which serves training only",
    "landmark network": "a network that finds landmarks; the pack has its own",
    "face detector": "a network that finds faces; the pack has its own",
}


@dataclass(frozen=True, slots=True)
class Component:
    """One network inside a file."""

    name: str
    """a key of ``SIGNATURES``, 'mapping_crop' or 'mapping_full'"""
    prefix: str
    """what its tensors' names begin with; may be empty"""


def find_components(tensors: Mapping[str, Tensor]) -> list[Component]:
    """Every known network among named tensors, in the order of ``SIGNATURES``."""
    found: list[Component] = []
    for network, signature in SIGNATURES.items():
        signs = [(key, sign) for sign in signature for key in tensors if key == sign or key.endswith(f".{sign}")]
        prefixes = sorted({key.removesuffix(sign) for key, sign in signs})
        found += [Component(_exact_name(network, tensors, prefix), prefix) for prefix in prefixes]
    return found


def _exact_name(network: str, tensors: Mapping[str, Tensor], prefix: str) -> str:
    """A mapping network is that of the full framings if it reads their coefficients."""
    if network != "mapping":
        return network
    first = tensors.get(f"{prefix}first.0.weight")
    full = first is not None and first.shape[1:2] == (FULL_CHANNELS,)
    return "mapping_full" if full else "mapping_crop"
