"""The names of the published files -> those of our modules: by table, each tensor accounted for once."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ....errors import WeightsError
from ....files.read import WeightFile, listing
from .detect import Component

Rules = tuple[tuple[str, str | None], ...]

RULES: Mapping[str, Rules] = {
    "audio2pose": (
        ("audio_encoder.audio_encoder.", "audio_encoder."),
        ("netG.decoder.", "decoder."),
        ("netG.encoder.", None),  # with the discriminator: training only
        ("netD_motion.", None),
    ),
}
"""For each network: how a name begins below the network's prefix, and what that becomes; None drops the tensor. The
first that fits counts. Networks without rules keep their names."""
_KEEP: Rules = (("", ""),)

TRAINING_STATE = re.compile(
    r"^(he_estimator|discriminator|optimizer(_\w+)?|opt_\w+|sched_\w+|opt|sched|scheduler(_\w+)?)\."
)
"""What a checkpoint may hold beside networks: left out on purpose."""
_ORIGINAL, _LEFT, _RIGHT = ".weight_orig", ".weight_u", ".weight_v"


def split_components(file: WeightFile, components: list[Component]) -> dict[str, dict[str, Tensor]]:
    """The tensors of each network by our names; every tensor of the file is used once or dropped by a rule.

    Raises:
        WeightsError: tensors that belong to nothing known, or a name that two networks claim.
    """
    parts: dict[str, dict[str, Tensor]] = {component.name: {} for component in components}
    if len(parts) < len(components):
        names = ", ".join(component.prefix or "its start" for component in components)
        raise WeightsError(f"{file.path.name} holds one network more than once (at {names}). Keep one of each.")
    by_prefix = sorted(components, key=lambda component: len(component.prefix), reverse=True)
    strangers: list[str] = []
    for key, tensor in file.tensors.items():
        owner = next((component for component in by_prefix if key.startswith(component.prefix)), None)
        dropped = TRAINING_STATE.match(key) is not None
        if owner is None or (dropped and not owner.prefix):
            strangers += [] if dropped else [key]
            continue
        name = _renamed(key.removeprefix(owner.prefix), RULES.get(owner.name, _KEEP))
        if name is None:
            continue
        if name in parts[owner.name]:
            raise WeightsError(f"{file.path.name} holds {name} of {owner.name} twice.")
        parts[owner.name][name] = tensor
    if strangers:
        raise WeightsError(
            f"{file.path.name} holds tensors of no known network: {listing(strangers)}. It is no published SadTalker "
            "file, or somebody has changed it."
        )
    return {name: fold_spectral_norm(tensors) for name, tensors in parts.items()}


def fold_spectral_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights divided by their largest singular value, as the stored pair of vectors gives it.

    In inference the pair does not change, so ``weight_orig``, ``weight_u`` and ``weight_v`` become one ``weight``.
    """
    folded = dict(tensors)
    for name in [name for name in tensors if name.endswith(_ORIGINAL)]:
        stem = name.removesuffix(_ORIGINAL)
        left, right = folded.get(stem + _LEFT), folded.get(stem + _RIGHT)
        original = folded[name]
        if left is None or right is None or original.ndim < 2 or (len(left), len(right)) != _matrix_shape(original):
            continue  # strict loading will say what is missing
        for suffix in (_ORIGINAL, _LEFT, _RIGHT):
            del folded[stem + suffix]
        # In double precision, since in single precision the last digit depends on where a file was put in memory.
        largest = torch.dot(left.double(), original.double().flatten(1) @ right.double())
        folded[f"{stem}.weight"] = original.float() / largest.float()
    return folded


def _matrix_shape(weight: Tensor) -> tuple[int, int]:
    return weight.shape[0], weight[0].numel()


def _renamed(name: str, rules: Rules) -> str | None:
    for start, replacement in rules:
        if name.startswith(start):
            return None if replacement is None else replacement + name.removeprefix(start)
    return name  # strict loading will name it as unexpected
