"""What a pack does to draw the speaking part of a face into the frames of a video."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..flow import Coefficients


class Dubber(Protocol):
    """Draws the frames of one person with the networks of one pack."""

    own: Tensor
    """(64,) expression of the person at rest"""

    def draw(self, picture: Tensor, points: Tensor, speech: Coefficients, index: int) -> Tensor:
        """Frame (3, H, W) whose face, of landmarks (478, 3) in its pixels, has in its lower part the expression of
        frame ``index`` of the speech."""
        ...
