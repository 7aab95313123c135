"""The official renderer's networks with rule-made weights; made once a run, since they hold 143 million numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from sadtalker_pack.sadtalker_core.packs.official.keypoints import KeypointDetector
from sadtalker_pack.sadtalker_core.packs.official.renderer import NeuralRenderer
from sadtalker_pack.tests.support.goldens import golden, kit
from sadtalker_pack.tests.support.rule_weights import fill_by_rule, rule_weights
from torch import Tensor, nn


@cache
def rule_keypoint_detector() -> KeypointDetector:
    network = KeypointDetector()
    fill_by_rule(network, kit()["salt"], lambda key: f"kp_extractor.{key}")
    return network


@cache
def rule_renderer() -> NeuralRenderer:
    renderer = NeuralRenderer()
    network = renderer.generator
    network.load_state_dict(rule_generator_weights(network))
    renderer.eval().requires_grad_(False)
    return renderer


def rule_generator_weights(network: nn.Module) -> dict[str, Tensor]:
    """Weights under the generator's own names: spectral norm is folded into the decoder's convolutions."""
    shapes = {f"generator.{name}": shape for name, shape in official_generator_shapes(network).items()}
    official = {name.removeprefix("generator."): weight for name, weight in rule_weights(shapes, kit()["salt"]).items()}
    for name in [name for name in official if name.endswith(".weight_orig")]:
        stem = name.removesuffix("_orig")
        left, right = official.pop(f"{stem}_u"), official.pop(f"{stem}_v")
        original = official.pop(name)
        official[stem] = original / torch.dot(left, original.flatten(1) @ right)
    return official


def official_generator_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Every tensor of the generator in the official file."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, tensor in network.state_dict().items():
        shape = tuple(tensor.shape)
        if is_spectral(name):
            shapes |= {f"{name}_orig": shape, f"{name}_u": shape[:1], f"{name}_v": (tensor[0].numel(),)}
        else:
            shapes[name] = shape
    return shapes


def is_spectral(name: str) -> bool:
    """Whether the official file holds this tensor of the generator under spectral norm."""
    return name.startswith("decoder.") and name.endswith((".conv_0.weight", ".conv_1.weight", ".conv_s.weight"))


def golden_portrait(size: int) -> Tensor:
    """The kit's portrait (3, size, size) in [0, 1]; for 512 each pixel is doubled."""
    picture = golden("07_keypoints")["image"].permute(2, 0, 1).float() / 255
    factor = size // picture.shape[1]
    return picture.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


@contextmanager
def recorded_calls(network: nn.Module, *names: str) -> Iterator[dict[str, Any]]:
    """What the submodules of these names return while the context lasts."""
    calls: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: calls.update({name: output})

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def share_above(ours: Tensor, recorded: Tensor, limit: float) -> float:
    """Share of the values that differ by more than ``limit``."""
    assert ours.shape == recorded.shape
    return float(((ours.double() - recorded.double()).abs() > limit).double().mean())
