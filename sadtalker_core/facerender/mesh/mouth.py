"""What is seen between open lips: teeth that belong to skull and jaw, tongue, and the dark behind them.

Everything here is drawn in the mouth's own frame: ``u`` runs across it, -1 and 1 at the corners of the portrait's
mouth; ``v`` is the distance below the line where upper and lower teeth meet, in mouth widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

UPPER_TEETH_BELOW_SEAM = 0.1
"""How far the upper incisors reach below the line between closed lips, mouth widths."""
LOWER_TEETH_ABOVE_SEAM = 0.0
TOOTH_HEIGHT = 0.2
TOOTH_WIDTH = 0.155
"""Width of a middle incisor in units of ``u``."""
ARCH = 0.1
"""How much the row of teeth rises towards the corners, mouth widths at u = 1."""


@dataclass(frozen=True, slots=True)
class MouthColours:
    """Colours (3,) of the portrait's mouth, RGB in [0, 1]."""

    cavity: Tensor
    tongue: Tensor
    teeth: Tensor


def mouth_colours(lips: Tensor, skin: Tensor) -> MouthColours:
    """Derive the colours inside the mouth from the mean lip and skin colour (3,) of the portrait.

    Teeth are lit like the skin: brighter than it, with a touch of its hue.
    """
    brightness = skin.mean().clamp(0.15, 0.9)
    # The light that colours the skin colours the teeth as well; without it they look blue in a warm picture.
    light = (skin / brightness).clamp(0.5, 1.6) ** 0.5
    teeth = skin.new_tensor((0.98, 0.94, 0.86)) * light * (0.3 + 0.72 * brightness)
    return MouthColours(
        cavity=lips * skin.new_tensor((0.22, 0.14, 0.14)),
        tongue=lips * skin.new_tensor((0.75, 0.55, 0.56)),
        teeth=teeth.clamp(0, 0.92),
    )


def paint_mouth(colours: MouthColours, u: Tensor, v_skull: Tensor, v_jaw: Tensor, depth: Tensor) -> Tensor:
    """Colours (B, N, 3) of the mouth's inside at ``u`` (B, N).

    Args:
        v_skull: (B, N) distance below the resting seam, measured from the skull, mouth widths.
        v_jaw: (B, N) the same measured from the jaw, which carries lower teeth and tongue.
        depth: (B, N) 0 at the lips' edge to 1 deep inside; how much of the light has gone.
    """
    bend = ARCH * u.square()
    gaps = _gaps(u, TOOTH_WIDTH)
    upper_edge = UPPER_TEETH_BELOW_SEAM - bend - 0.02 * gaps  # rounded corners
    upper = _soft(upper_edge - v_skull, 0.02) * _soft(0.78 - u.abs(), 0.16)
    lower_edge = LOWER_TEETH_ABOVE_SEAM + 0.5 * bend
    lower = _soft(v_jaw - lower_edge, 0.02) * _soft(0.62 - u.abs(), 0.2)
    tongue = _soft(v_jaw + 0.1 - 0.2 * u.square(), 0.1) * _soft(0.55 - u.abs(), 0.3)

    shade = (1 - 0.45 * depth)[..., None]
    picture = colours.cavity * shade
    picture = torch.lerp(picture.expand(*u.shape, 3), colours.tongue * shade * 0.75, 0.75 * tongue[..., None])
    lower_teeth = colours.teeth * (0.62 * _relief(u, 0.06 * _gaps(u, 0.11)))[..., None]
    picture = torch.lerp(picture, lower_teeth, (0.45 * lower)[..., None])
    # Upper teeth catch the light in their middle and lie in the lip's shadow at their root.
    root = ((upper_edge - v_skull) / TOOTH_HEIGHT).clamp(0, 1)
    upper_teeth = colours.teeth * (_relief(u, 0.1 * gaps) * (1 - 0.3 * root))[..., None]
    return torch.lerp(picture, upper_teeth, upper[..., None])


def _gaps(u: Tensor, width: float) -> Tensor:
    """1 between neighbouring teeth of a width, 0 on their faces; the middle of the row is a gap."""
    place = (u / width) - torch.floor(u / width)
    return torch.exp(-((torch.minimum(place, 1 - place) / 0.09).square()))


def _relief(u: Tensor, lines: Tensor) -> Tensor:
    """Brightness factor of a row of teeth: soft dark lines, and darker towards the corners."""
    return (1 - lines) * (1 - 0.6 * u.square()).clamp_min(0.2)


def _soft(distance: Tensor, width: float) -> Tensor:
    """0 below, 1 above ``width``, smooth between."""
    share = (distance / width).clamp(0, 1)
    return share * share * (3 - 2 * share)
