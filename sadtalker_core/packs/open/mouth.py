"""What is seen between open lips: teeth that belong to skull and jaw, tongue, and the dark behind them.

Everything here is drawn in the mouth's own frame: ``u`` runs across it, -1 and 1 at the corners of the portrait's
mouth; ``v`` is the distance below the line where upper and lower teeth meet, in mouth widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...pictures.ramps import smoothstep

UPPER_TEETH_BELOW_SEAM = 0.1
"""How far the upper incisors reach below the line between closed lips, mouth widths."""
LOWER_TEETH_ABOVE_SEAM = 0.065
TOOTH_HEIGHT = 0.2
"""Height of the upper incisors from edge to gum, same unit."""
ARCH = 0.1
"""How much the row of teeth rises towards the corners, mouth widths at u = 1."""


@dataclass(frozen=True, slots=True)
class MouthColours:
    """Colours (3,) of the portrait's mouth, RGB in [0, 1]."""

    cavity: Tensor
    tongue: Tensor
    gum: Tensor
    lip: Tensor
    """the wet inner side of the lips"""
    teeth: Tensor


def mouth_colours(lips: Tensor, skin: Tensor) -> MouthColours:
    """Derive the colours inside the mouth from the mean lip and skin colour (3,) of the portrait.

    Teeth are lit like the skin: brighter than it, with a touch of its hue.
    """
    brightness = skin.mean().clamp(0.15, 0.9)
    # The light that colours the skin colours the teeth as well; without it they look blue in a warm picture.
    light = (skin / brightness).clamp(0.5, 1.6) ** 0.5
    teeth = skin.new_tensor((0.97, 0.94, 0.89)) * light * (0.3 + 0.7 * brightness)
    return MouthColours(
        cavity=lips * skin.new_tensor((0.3, 0.17, 0.17)),
        tongue=lips * skin.new_tensor((1.05, 0.85, 0.87)),
        gum=lips * skin.new_tensor((0.8, 0.6, 0.62)),
        lip=lips * skin.new_tensor((0.62, 0.48, 0.48)),
        teeth=teeth.clamp(0, 0.92),
    )


def paint_mouth(colours: MouthColours, u: Tensor, v_skull: Tensor, v_jaw: Tensor, rim: Tensor) -> Tensor:
    """Colours (B, N, 3) of the mouth's inside at ``u`` (B, N).

    Args:
        v_skull: (B, N) distance below the resting seam, measured from the skull, mouth widths.
        v_jaw: (B, N) the same measured from the jaw, which carries lower teeth and tongue.
        rim: (B, N) distance from the nearer lip's edge, mouth widths.
    """
    bend = ARCH * u.square()
    opening = v_skull - v_jaw  # how far the jaw has dropped
    light = 1 - 0.62 * _soft(rim, 0.16)  # the deeper, the darker
    picture = (colours.cavity * light[..., None]).expand(*u.shape, 3)

    # The tongue's back lies in the dark; a groove runs along its middle.
    height = 0.06 + 0.45 * opening.clamp(0, 0.4)
    over_tongue = v_jaw + height * (1 - 1.5 * u.square())
    shade = 0.4 + 0.55 * (over_tongue / height).clamp(0, 1) - 0.1 * torch.exp(-(u / 0.07).square())
    tongue = _soft(over_tongue, 0.08) * _soft(0.72 - u.abs(), 0.25) * _soft(opening - 0.06, 0.12)
    picture = torch.lerp(picture, colours.tongue * shade[..., None], 0.9 * tongue[..., None])

    lower_edge = 1.4 * bend - LOWER_TEETH_ABOVE_SEAM + 0.006 * _gaps(1.45 * u)
    lower = _soft(v_jaw - lower_edge, 0.02) * _soft(0.6 - u.abs(), 0.25) * _soft(opening - 0.1, 0.15)
    lower_light = 0.62 * _relief(u, 0.12 * _gaps(1.45 * u))
    picture = torch.lerp(picture, colours.teeth * lower_light[..., None], 0.8 * lower[..., None])

    # Upper teeth catch the light in their middle and lie in the lip's shadow at their root; side incisors are shorter.
    place = _tooth(u).abs()
    gaps = _gaps(u)
    shorter = 0.014 * torch.exp(-((place - 1.5) / 0.45).square())
    upper_edge = UPPER_TEETH_BELOW_SEAM - bend - shorter - 0.012 * gaps
    root = (upper_edge - v_skull) / (TOOTH_HEIGHT * (1 - 0.25 * u.square()))
    upper_light = _relief(u, 0.17 * gaps * (0.4 + 0.6 * root.clamp(0, 1))) * (1 - 0.22 * root.clamp(0, 1).square())
    row = torch.lerp(
        colours.teeth * upper_light[..., None],
        colours.gum * _relief(u, 0 * u)[..., None],
        _soft(root - 0.94 + 0.12 * gaps, 0.12)[..., None],
    )
    picture = torch.lerp(picture, row, (_soft(upper_edge - v_skull, 0.018) * _soft(0.98 - u.abs(), 0.3))[..., None])
    return torch.lerp(colours.lip.expand_as(picture), picture, (0.35 + 0.65 * _soft(rim, 0.03))[..., None])


def _tooth(u: Tensor) -> Tensor:
    """Number of teeth between the middle and ``u``: the row bends away from the camera, so they look ever narrower."""
    return 6.3 * u + 6.4 * u.pow(3)


def _gaps(u: Tensor) -> Tensor:
    """1 between neighbouring teeth, 0 on their faces; the middle of the row is a gap."""
    place = _tooth(u)
    return torch.exp(-(((place - place.round()) / 0.1).square()))


def _relief(u: Tensor, lines: Tensor) -> Tensor:
    """Brightness factor of a row of teeth: soft dark lines, and darker towards the corners."""
    return (1 - lines) * (1 - 0.85 * u.square()).clamp_min(0.12)


def _soft(distance: Tensor, width: float) -> Tensor:
    """0 below, 1 above ``width``, smooth between."""
    return smoothstep((distance / width).clamp(0, 1))
