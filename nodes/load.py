"""Load Models."""

from __future__ import annotations

from comfy_api.latest import io

from ..sadtalker_core.weights.open_pack import OPEN_ASSETS, load_open_pack
from . import sockets
from .host import HostedPack, check_choice, host_pack

LOADERS = {"open (built in)": load_open_pack}
"""What the list shows, and the function that reads it."""


def hosted_open_pack() -> HostedPack:
    """The pack that comes with the nodes, under the host's model manager."""
    return host_pack(load_open_pack())


def open_pack_fingerprint() -> str:
    """Changes when a weight file of the open pack does."""
    facts = ((path.name, path.stat()) for path in sorted(OPEN_ASSETS.glob("*.safetensors")))
    return ";".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in facts)


class LoadModels(io.ComfyNode):
    """File choice -> PACK."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerLoadModels",
            display_name="Load Models",
            category="SadTalker/load",
            description="Loads the networks that all other SadTalker nodes use. Changing the choice here is all it "
            "takes to run the same graph with other networks.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=list(LOADERS),
                    default=next(iter(LOADERS)),
                    tooltip="Which networks: 'open (built in)' comes with the nodes and needs no download.",
                )
            ],
            outputs=[sockets.Pack.Output(display_name="pack", tooltip="The networks of every stage.")],
        )

    @classmethod
    def validate_inputs(cls, model: str | None = None) -> bool | str:
        return check_choice("model", model, list(LOADERS))

    @classmethod
    def fingerprint_inputs(cls, model: str) -> str:
        return open_pack_fingerprint()

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(host_pack(LOADERS[model]()))
