"""The effect of single muscles on a face: displacements of a few vertices, after the action units of FACS.

FACS: P. Ekman, W. Friesen, J. Hager, "Facial Action Coding System", 2002. Displacements are at full strength
and in canonical units (distance between the outer eye corners, about 9 cm), x to the picture's right, y up, z towards
the camera. Their sizes were chosen by eye on photographs and paintings: strong, but without tears in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..face.regions import CHIN, INNER_LIPS, LEFT_BROW, LEFT_EYE, LEFT_IRIS, OUTER_LIPS, RIGHT_EYE, RIGHT_IRIS

_INNER_BROW, _OUTER_BROW = LEFT_BROW[3:7], (*LEFT_BROW[:2], *LEFT_BROW[8:])
_MIDDLE_BROW = (LEFT_BROW[2], LEFT_BROW[7])
_UPPER_LID, _LOWER_LID = LEFT_EYE[2:7], LEFT_EYE[10:15]
_CHEEK = (50, 205, 101, 36, 118, 117)
_NOSE_WING = (64, 48, 49, 98, 129)
_MOUTH_CORNER = (INNER_LIPS[0], OUTER_LIPS[0])
_UPPER_LIP, _LOWER_LIP = OUTER_LIPS[2:6], OUTER_LIPS[15:19]
_LOWER_LIPS = (*INNER_LIPS[15:18], *OUTER_LIPS[15:18])
_LIP_MIDDLES = (*INNER_LIPS[5:6], *INNER_LIPS[15:16], *OUTER_LIPS[5:6], *OUTER_LIPS[15:17])
_IRISES = (*LEFT_IRIS, *RIGHT_IRIS)
_BOTH_UPPER_LIDS, _BOTH_LOWER_LIDS = (*_UPPER_LID, *RIGHT_EYE[2:7]), (*_LOWER_LID, *RIGHT_EYE[10:15])
_CLOSED = 0.95
"""Fraction of the distance to the lower lid that the upper lid moves; the thickness of the skin fills the rest."""


@dataclass(frozen=True, slots=True)
class Target:
    """Some vertices and their displacement."""

    vertices: tuple[int, ...]
    displacement: tuple[float, float, float]
    mirrored: bool = True
    """whether the other half of the face moves too, mirrored; the vertices are then on the picture's left"""


ACTIONS: dict[str, tuple[Target, ...]] = {
    "inner_brow_raiser": (Target(_INNER_BROW, (0, 0.10, 0)),),  # AU 1
    "outer_brow_raiser": (Target(_OUTER_BROW, (0, 0.09, 0)), Target(_MIDDLE_BROW, (0, 0.08, 0))),  # AU 2
    "brow_lowerer": (  # AU 4
        Target(_INNER_BROW, (0.035, -0.07, 0)),
        Target(_MIDDLE_BROW, (0.02, -0.05, 0)),
        Target(_OUTER_BROW, (0, -0.02, 0)),
    ),
    "upper_lid_raiser": (Target(_UPPER_LID, (0, 0.035, 0)),),  # AU 5
    "cheek_raiser": (Target(_CHEEK, (0, 0.05, 0.01)), Target(_LOWER_LID, (0, 0.015, 0))),  # AU 6
    "lid_tightener": (Target(_LOWER_LID, (0, 0.025, 0)), Target(_UPPER_LID, (0, -0.012, 0))),  # AU 7
    "nose_wrinkler": (  # AU 9 with 10
        Target(_NOSE_WING, (0, 0.03, 0)),
        Target(_INNER_BROW, (0.02, -0.04, 0)),
        Target(_UPPER_LIP, (0, 0.03, 0)),
    ),
    "lip_corner_puller": (Target(_MOUTH_CORNER, (-0.09, 0.08, -0.05)),),  # AU 12
    "lip_corner_depressor": (Target(_MOUTH_CORNER, (0, -0.07, 0)),),  # AU 15
    "lip_pucker": (Target(_MOUTH_CORNER, (0.09, 0, 0.02)), Target(_LIP_MIDDLES, (0, 0, 0.06))),  # AU 18
    "lip_stretcher": (Target(_MOUTH_CORNER, (-0.08, -0.03, -0.03)),),  # AU 20
    "lip_tightener": (Target(_UPPER_LIP, (0, -0.02, 0)), Target(_LOWER_LIP, (0, 0.02, 0))),  # AU 23
    "jaw_drop": (Target(CHIN, (0, -0.16, -0.03)), Target(_LOWER_LIPS, (0, -0.15, -0.03))),  # AU 26
    "look_right": (Target(_IRISES, (0.06, 0, 0), mirrored=False),),  # AU 62, the picture's right
    # Lids follow the eye up and down.
    "look_up": (  # AU 63
        Target(_IRISES, (0, 0.035, 0), mirrored=False),
        Target(_BOTH_UPPER_LIDS, (0, 0.030, 0), mirrored=False),
        Target(_BOTH_LOWER_LIDS, (0, 0.010, 0), mirrored=False),
    ),
}
LID_CLOSER, LID_DIFFERENCE = "lid_closer", "lid_difference"
"""AU 43, and the difference that makes it a wink (AU 46): the eye at the picture's right closes while the other one
opens. How far lids move depends on the face, so these have no fixed targets."""
ACTION_NAMES = (*ACTIONS, LID_CLOSER, LID_DIFFERENCE)


def action_targets(name: str, mirror: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Displacement (478, 3), and the vertices (478,) bool that the action is meant to move.

    Args:
        name: one of ``ACTION_NAMES``.
        mirror: (478,) int64, the partner of each vertex on the other half of the face.
        shape: (478, 3) the face at rest, canonical.
    """
    displacement = torch.zeros_like(shape)
    meant = torch.zeros(len(shape), dtype=torch.bool, device=shape.device)
    if name in (LID_CLOSER, LID_DIFFERENCE):
        for ring, sign in ((LEFT_EYE, 1.0 if name == LID_CLOSER else -1.0), (RIGHT_EYE, 1.0)):
            meant[list(ring)] = True  # the lower lid stays
            for place in range(1, 8):  # ring[16 - place] lies opposite ring[place]
                upper, lower = ring[place], ring[16 - place]
                displacement[upper] = sign * _CLOSED * (shape[lower] - shape[upper])
        return displacement, meant
    for target in ACTIONS[name]:
        own = torch.tensor(target.vertices, device=shape.device)
        way = shape.new_tensor(target.displacement)
        displacement[own], meant[own] = way, True
        if target.mirrored:
            other = mirror[own]
            displacement[other], meant[other] = way * way.new_tensor((-1.0, 1.0, 1.0)), True
            middle = own[other == own]  # a vertex in the plane of symmetry cannot leave it
            displacement[middle, 0] = 0
    return displacement, meant
