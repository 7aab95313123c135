"""The topology of the face mesh: which vertices form triangles, and the canonical shape they were designed on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import Tensor

from ..files.assets import OPEN_ASSETS
from ..files.read import read_safetensors

FACE_MESH_FILE = OPEN_ASSETS / "face_mesh.safetensors"


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """Google's canonical face mesh; the ten iris points (468..477) belong to no triangle."""

    triangles: Tensor
    """(898, 3) int64 vertex numbers; the mouth's opening and the eyes are covered too"""
    canonical: Tensor
    """(468, 3) centimetres: x to the picture's right, y up, z towards the camera"""
    uv: Tensor
    """(468, 2) texture coordinates in [0, 1]"""


@cache
def load_face_mesh(path: Path = FACE_MESH_FILE) -> FaceMesh:
    """The mesh that ships with the pack, on the CPU; read once.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    tensors = read_safetensors(path).tensors
    return FaceMesh(tensors["triangles"].long(), tensors["canonical"], tensors["uv"])
