"""What a pack does to draw coefficients."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ..flow import Coefficients, HeadTurn, Keypoints, SourceFace


class Mapping(Protocol):
    """COEFFICIENTS -> KEYPOINTS."""

    def keypoints(self, face: SourceFace, coefficients: Coefficients, turn: HeadTurn | None = None) -> Keypoints:
        """Keypoints of the portrait and of each frame; ``turn`` replaces head angles of the frames."""
        ...


class Renderer(Protocol):
    """KEYPOINTS -> FRAMES."""

    @property
    def bytes_per_pixel(self) -> int:
        """Working memory for one pixel of the cropped portrait, a frame at a time."""
        ...

    @property
    def any_size(self) -> bool:
        """Whether it draws frames of any size; networks know one."""
        ...

    def prepare(self, face: SourceFace, source_keypoints: Tensor) -> Any:
        """All that does not change from frame to frame; keypoints (K, 3) of the portrait."""
        ...

    def render(self, source: Any, driving: Tensor) -> Tensor:
        """Frames (B, 3, face.crop.height, face.crop.width) in [0, 1] for driving keypoints (B, K, 3)."""
        ...

    def source_positions(self, source: Any, driving: Tensor) -> tuple[Tensor, Tensor]:
        """Where what the same frames show lies in the portrait.

        Returns:
            Positions (B, 2, H, W), x and y in pixels of ``face.cropped``, the first pixel's centre at 0.5, in any size
            that covers the frame; trust (B, 1, H, W) from 0, where the frame shows what the portrait does not, to 1.
        """
        ...
