"""Which networks a weight file holds, told from the names and shapes of its tensors, never from its own name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..errors import WeightsError
from ..facerender.mapping import CROP_CHANNELS, FULL_CHANNELS

SIGNATURES: Mapping[str, tuple[str, ...]] = {
    "audio2exp": ("mapping1.weight", "audio_encoder.0.conv_block.0.weight"),
    "audio2pose": ("netG.decoder.classbias", "audio_encoder.audio_encoder.0.conv_block.0.weight"),
    "kp_extractor": ("predictor.up_blocks.up0.conv.weight", "kp.weight"),
    "generator": ("dense_motion_network.mask.weight", "decoder.fc.weight"),
    "face_3drecon": ("final_layers.6.weight", "backbone.conv1.weight"),
    "mapping": ("fc_exp.weight", "first.0.weight", "encoder0.1.weight"),
    "he_estimator": ("fc_exp.weight", "norm1.weight"),
    "landmark network": ("bn_end3.weight", "l3.weight"),
    "face detector": ("LandmarkHead.2.conv1x1.weight", "body.conv1.weight"),
}
"""Tensors that only this network has, below a common prefix. The names are those of the published files; 'mapping'
becomes 'mapping_crop' or 'mapping_full' by its number of inputs."""
UNUSED = {
    "he_estimator": "the head-pose estimator, which serves training only",
    "landmark network": "a network that finds landmarks; the pack has its own",
    "face detector": "a network that finds faces; the pack has its own",
}
_MAPPINGS = {CROP_CHANNELS: "mapping_crop", FULL_CHANNELS: "mapping_full"}


@dataclass(frozen=True, slots=True)
class Component:
    """One network inside a file."""

    name: str
    """a key of ``SIGNATURES``, 'mapping_crop' or 'mapping_full'"""
    prefix: str
    """what its tensors' names begin with; may be empty"""


def find_components(tensors: Mapping[str, Tensor]) -> list[Component]:
    """Every known network among named tensors, in the order of ``SIGNATURES``.

    Raises:
        WeightsError: a mapping network of an unknown number of inputs.
    """
    found: list[Component] = []
    for name, (first, *others) in SIGNATURES.items():
        prefixes = (key.removesuffix(first) for key in tensors if key == first or key.endswith(f".{first}"))
        complete = (prefix for prefix in prefixes if all(prefix + other in tensors for other in others))
        found += [Component(_exact_name(name, tensors, prefix), prefix) for prefix in complete]
    return found


def _exact_name(name: str, tensors: Mapping[str, Tensor], prefix: str) -> str:
    if name != "mapping":
        return name
    weight = tensors[f"{prefix}first.0.weight"]
    channels = weight.shape[1] if weight.ndim == 3 else None
    if channels not in _MAPPINGS:
        raise WeightsError(
            f"A mapping network reads {CROP_CHANNELS} or {FULL_CHANNELS} coefficients; the first layer of this one has "
            f"the shape {tuple(weight.shape)}."
        )
    return _MAPPINGS[channels]
