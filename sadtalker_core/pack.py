"""A model pack: the modules of every stage, and the facts a node needs about them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from .expnet.model import ExpNet
from .face3d.landmarks import FaceLandmarker
from .face3d.morphable import MorphableModel
from .facerender.mesh.mapping import MeshMapping
from .facerender.mesh.renderer import MeshRenderer
from .posevae.model import PoseVAE


@dataclass(frozen=True, slots=True)
class Pack:
    """The networks of one release, on one device, in inference mode."""

    name: str
    basis: str
    """space of its coefficients; every stage checks it against what it receives"""
    landmarker: FaceLandmarker
    model: MorphableModel
    expnet: ExpNet
    posevae: PoseVAE
    mapping: MeshMapping
    renderer: MeshRenderer
    pose_blend: int
    """frames over which one block of head motion passes into the next (``decode_motion``)"""

    @property
    def styles(self) -> int:
        """Number of head-motion styles of the PoseVAE; a style is an index below it."""
        return self.posevae.config.styles

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The stage modules by field name, for whoever decides their placement."""
        fields = ("landmarker", "model", "expnet", "posevae", "mapping", "renderer")
        return {field: getattr(self, field) for field in fields}
