"""What a pack does to find the coefficients of a face."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..flow import SourceFace


class Extractor(Protocol):
    """PICTURE, landmarks -> FACE."""

    def extract(self, picture: Tensor, points: Tensor, *, framing: str, size: int) -> SourceFace:
        """Crop ``picture`` (3, H, W) around the landmarks (478, 3), its pixels, and find the face's coefficients.

        Args:
            framing: one of ``face.framing.FRAMINGS``.
            size: largest longer side of the frames in pixels; ``face.framing.OWN_SIZE``: as many as the crop has.
        """
        ...

    def follow(self, first: SourceFace, picture: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Expression (64,) and pose (6,) of the same face in another picture (3, H, W) of a video.

        Args:
            first: the face in the frame with which the video starts; its crop is used for all of them.
            points: landmarks (478, 3) in ``picture``, its pixels.
        """
        ...
