"""Weights that anyone can make again: each tensor follows from its official name and the kit's salt.

The canonical name is ``<component>.<key in the official file>``. Random numbers come from numpy's legacy generator,
seeded with the CRC-32 of ``salt:name``, in float64; the result is float32.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]

DEFAULT_GAIN = 1.4
GAINS = (
    (r"audio_encoder\.\d+\.conv_block\.0\.", 1.1),
    (r"^audio2exp\.mapping1\.", 0.12),
    (r"\.linear_audio\.", 1.0),
    (r"\.resunet\.", 1.0),
    (r"\.pose_linear\.", 0.7),
    (r"^mapping_\d+\.fc_(t|exp)\.", 0.1),
    (r"^face_3drecon\.backbone\..*\.conv3\.", 0.4),
    (r"^face_3drecon\.final_layers\.", 0.3),
    (r"^kp_extractor\.kp\.", 0.6),
    (r"\.resblocks_3d\..*\.conv2\.", 0.5),
    (r"^generator\.decoder\.conv_img\.", 0.8),
    (r"\.dense_motion_network\.mask\.", 5.0),
    (r"\.dense_motion_network\.occlusion\.", 4.0),
)
"""The first pattern found in the name decides; they keep the activations of every network in a useful range."""


def fill_by_rule(module: nn.Module, salt: str, official_name: Callable[[str], str]) -> None:
    """Load rule-made weights; ``official_name`` maps a key of the module to its canonical name."""
    names = {key: official_name(key) for key in module.state_dict()}
    shapes = {names[key]: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    weights = rule_weights(shapes, salt)
    module.load_state_dict({key: weights[name] for key, name in names.items()})
    module.eval().requires_grad_(False)


def rule_weights(shapes: Mapping[str, Sequence[int]], salt: str) -> dict[str, Tensor]:
    """All tensors of the named shapes; ``weight_u`` and ``weight_v`` need their ``weight_orig`` among them."""
    return {name: _tensor(name, shapes, salt) for name in shapes}


def _tensor(name: str, shapes: Mapping[str, Sequence[int]], salt: str) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(tuple(shapes[name]), dtype=torch.int64)
    if name.endswith((".weight_u", ".weight_v")):
        original = f"{name.rpartition('.')[0]}.weight_orig"
        left, right = _singular_pair(original, shapes[original], salt)
        values = left if name.endswith("u") else right
    else:
        values = _values(name, shapes[name], salt)
    return torch.from_numpy(values.astype(np.float32))


def _values(name: str, shape: Sequence[int], salt: str) -> Array:
    random = _random(name, salt)
    if name.endswith("running_mean"):
        return 0.1 * random.standard_normal(shape)
    if name.endswith("running_var"):
        return 0.5 + random.random_sample(shape)
    if name.endswith("classbias"):
        return random.standard_normal(shape)
    if name.endswith(".bias"):
        return 0.05 * random.standard_normal(shape)
    if len(shape) == 1:
        return 1 + 0.1 * random.standard_normal(shape)
    if name == "kp_extractor.down.weight":
        return _gaussian(shape)
    gain = next((gain for pattern, gain in GAINS if re.search(pattern, name)), DEFAULT_GAIN)
    return random.standard_normal(shape) * gain / np.sqrt(np.prod(shape[1:]))


def _singular_pair(original: str, shape: Sequence[int], salt: str) -> tuple[Array, Array]:
    """Spectral norm's vectors after one power iteration."""
    matrix = _values(original, shape, salt).astype(np.float32).astype(np.float64).reshape(shape[0], -1)
    start = _random(original.replace("weight_orig", "weight_u"), salt).standard_normal(shape[0])
    right = matrix.T @ (start / np.linalg.norm(start))
    right /= np.linalg.norm(right)
    left = matrix @ right
    return left / np.linalg.norm(left), right


def _gaussian(shape: Sequence[int]) -> Array:
    taps = np.exp(-((np.arange(shape[-1]) - shape[-1] // 2) ** 2) / (2 * 1.5**2))
    kernel = np.outer(taps, taps)
    return np.broadcast_to(kernel / kernel.sum(), tuple(shape)).copy()


def _random(name: str, salt: str) -> np.random.RandomState:
    return np.random.RandomState(zlib.crc32(f"{salt}:{name}".encode()))
