"""The services of the host for the core: hold the networks, choose devices, show progress, stop on request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from comfy import model_management
from comfy.model_patcher import ModelPatcher
from comfy.utils import ProgressBar
from torch import Tensor, nn

from ..sadtalker_core.face.framing import OWN_SIZE, own_size
from ..sadtalker_core.face.morphable import MorphableModel
from ..sadtalker_core.flow import move_to
from ..sadtalker_core.pack import Pack
from ..sadtalker_core.progress import Progress
from ..sadtalker_core.render.protocols import Renderer

LOG = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class HostedPack:
    """A model pack under the host's model manager; the value of a SADTALKER_PACK socket.

    The manager has only weak references to patchers. This object keeps them alive as long as the socket value.
    """

    core: Pack
    patchers: Mapping[str, ModelPatcher]
    """by the name of the module of the pack that each of them moves"""

    def load(self, *stages: str, memory_required: int = 0) -> torch.device:
        """Bring modules of the pack, by name, to the device on which they compute, and return this device.

        Args:
            memory_required: bytes that the computation needs in addition to the weights.
        """
        return load_fully([self.patchers[stage] for stage in stages], memory_required)

    def load_vertices(self) -> MorphableModel | None:
        """The face model of the pack, on the device on which it computes; None if the pack has none."""
        if self.core.vertices is not None:
            self.load("vertices")
        return self.core.vertices


def load_fully(patchers: Sequence[ModelPatcher], memory_required: int) -> torch.device:
    """Bring whole networks to their computing device and return it; ``memory_required`` as in ``HostedPack``."""
    # Plain torch modules cannot run with a part of their weights on another device.
    model_management.load_models_gpu(list(patchers), memory_required=memory_required, force_full_load=True)
    device = patchers[0].load_device
    for patcher in patchers:
        patcher.model.to(device)  # with --novram, force_full_load does not move them
    return device


def host_pack(pack: Pack) -> HostedPack:
    """Put the modules of a pack under the host's model manager."""
    modules = pack.modules
    load_device, offload_device = model_management.get_torch_device(), model_management.unet_offload_device()
    owners = {name: _owner(module, modules) for name, module in modules.items()}
    patchers = {name: ModelPatcher(modules[name], load_device, offload_device) for name in set(owners.values())}
    return HostedPack(pack, {name: patchers[owner] for name, owner in owners.items()})


def to_device(value: T, device: torch.device) -> T:
    """A tensor, a value of the flow, or None, on ``device``."""
    if value is None:
        return value
    moved: Any = value.to(device) if isinstance(value, Tensor) else move_to(value, device)
    return moved


def to_host(value: T) -> T:
    """A tensor or a value of the flow, on the device where the host keeps values between nodes."""
    return to_device(value, model_management.intermediate_device())


def progress() -> Progress:
    """A progress bar on the running node; at each step the user's Cancel can take effect."""
    bar = ProgressBar(1)

    def report(done: int, total: int) -> None:
        model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return report


def in_batches(run: Callable[[int], T], batch_size: int) -> T:
    """``run(batch_size)``; if the device runs out of memory, it is run again with half the batch, down to one."""
    while True:
        try:
            return run(batch_size)
        except model_management.OOM_EXCEPTION:
            if batch_size == 1:
                raise
        # Only here, outside the handler, are the tensors of the failed attempt released.
        batch_size //= 2
        LOG.warning("Not enough memory on the device; trying again with a batch of %d.", batch_size)
        model_management.soft_empty_cache()


def render_memory(renderer: Renderer, pixels: int, batch_size: int) -> int:
    """Bytes that a renderer needs in addition to its weights for a batch of frames with ``pixels`` pixels each."""
    return batch_size * pixels * renderer.bytes_per_pixel


def largest_frame(picture: Tensor, size: int) -> int:
    """Largest number of pixels of a frame of a picture (3, H, W), with a longer side of ``size`` or the picture's."""
    return (own_size(max(picture.shape[1:])) if size == OWN_SIZE else size) ** 2


def check_choice(name: str, value: Any, choices: Sequence[str]) -> bool | str:
    """The result of ``validate_inputs`` for a COMBO, which ComfyUI 0.3.75 does not check; None is a linked input."""
    if value is None or value in choices:
        return True
    return f"{name} must be one of {', '.join(choices)}; got '{value}'."


def _owner(module: nn.Module, modules: Mapping[str, nn.Module]) -> str:
    """Name of the largest module of the pack that contains ``module``, so that no weight is moved by two patchers."""
    holders = [name for name, holder in modules.items() if any(part is module for part in holder.modules())]
    return max(holders, key=lambda name: sum(1 for _ in modules[name].modules()))
