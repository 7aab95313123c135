"""A model pack: the modules of every stage, and the facts a node needs about them.

A stage that differs between the packs is a protocol here; whoever has another network for it writes a class of that
shape and puts it into a ``Pack``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from .expnet.model import ExpNet
from .face3d.landmarks import FaceDetection, FaceLandmarks, FaceRegion
from .flow import Coefficients, HeadTurn, Keypoints, SourceFace
from .posevae.model import PoseVAE
from .posevae.predict import PoseSampling


class Landmarker(Protocol):
    """PICTURE -> landmarks."""

    def detect(self, picture: Tensor) -> Sequence[FaceDetection]:
        """Faces of a picture (3, H, W), the largest first."""
        ...

    def detect_all(self, picture: Tensor) -> Sequence[FaceDetection]:
        """The same, but small faces beside large ones, too; slower."""
        ...

    def landmarks(self, picture: Tensor, detection: FaceDetection) -> FaceLandmarks:
        """The 478 points of one of them."""
        ...

    def detect_each(self, pictures: Tensor) -> Sequence[Sequence[FaceDetection]]:
        """Faces of each picture (B, 3, H, W) that can be found fast, the largest first."""
        ...

    def landmarks_each(self, pictures: Tensor, region: FaceRegion) -> tuple[Tensor, Tensor]:
        """Points (B, 478, 3) and presence (B,) of the face in one region of every picture (B, 3, H, W)."""
        ...


class Extractor(Protocol):
    """Landmarks -> COEFFICIENTS of the portrait."""

    def extract(self, picture: Tensor, points: Tensor, *, framing: str, size: int) -> SourceFace:
        """Crop ``picture`` (3, H, W) around the landmarks (478, 3), its pixels, and find the face's coefficients.

        Args:
            framing: one of ``face3d.extract.FRAMINGS``.
            size: largest longer side of the frames in pixels; ``face3d.extract.OWN_SIZE``: as many as the crop has.
        """
        ...

    def follow(self, first: SourceFace, picture: Tensor, points: Tensor) -> Coefficients:
        """Coefficients, one frame, of the same face in another picture (3, H, W) of a video.

        Args:
            first: the face in the frame with which the video starts; its crop counts for all of them.
            points: landmarks (478, 3) in ``picture``, its pixels.
        """
        ...


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


@dataclass(frozen=True, slots=True)
class Pack:
    """The networks of one release, on one device, in inference mode."""

    name: str
    basis: str
    """space of its coefficients; every stage checks it against what it receives"""
    landmarker: Landmarker
    extractor: Extractor
    expnet: ExpNet
    posevae: PoseVAE
    mapping: Mapping
    renderer: Renderer
    speech_smoothing: float
    """share that each neighbouring frame has in what ExpNet hears at a frame, see ``predict_expression``"""
    pose_sampling: PoseSampling
    """how drawn blocks of head motion become a track"""
    scales_about_portrait: bool
    """whether an expression scale keeps the portrait's own expression, or the mean face, as its fixed point"""

    @property
    def styles(self) -> int:
        """Number of head-motion styles of the PoseVAE; a style is an index below it."""
        return self.posevae.config.styles

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The stage modules by field name, for whoever decides their placement."""
        fields = ("landmarker", "extractor", "expnet", "posevae", "mapping", "renderer")
        return {field: getattr(self, field) for field in fields}
