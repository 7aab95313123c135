"""The nouns of the pack: every value that crosses from one stage to the next.

audio -> ``Waveform`` -> ``MelWindows`` -> ``Coefficients`` -> ``Keypoints`` -> frames

All are frozen and check their shapes when made. Pictures are (3, H, W) or (T, 3, H, W) float32 RGB in [0, 1];
pixel coordinates have x to the right and y down, and pixel (0, 0) covers the square [0, 1) x [0, 1), so its
centre lies at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .checks import check_shape
from .errors import SadTalkerError
from .geometry import Similarity

SAMPLE_RATE = 16_000
"""Samples a second of every waveform inside the pack."""
MODEL_FPS = 25
"""Video frames a second at which the audio networks were trained (paper, section 4.1)."""
EXPRESSION_SIZE = 64
IDENTITY_SIZE = 80
POSE_SIZE = 6
"""Three angles (pitch, yaw, roll; radians) and a translation (x, y, z; unit of the basis)."""


def move_to(value: Any, device: torch.device) -> Any:
    """Copy of a flow dataclass with each of its tensors, nested ones too, on ``device``."""
    changes: dict[str, Any] = {}
    for name in value.__dataclass_fields__:
        part = getattr(value, name)
        if isinstance(part, Tensor):
            changes[name] = part.to(device)
        elif hasattr(part, "__dataclass_fields__"):
            changes[name] = move_to(part, device)
    return replace(value, **changes)


@dataclass(frozen=True, slots=True)
class Waveform:
    """Mono speech at 16 kHz."""

    samples: Tensor
    """(S,) float32, nominal range [-1, 1], finite, S >= 1"""

    def __post_init__(self) -> None:
        check_shape("Waveform.samples", self.samples, "S")

    @property
    def seconds(self) -> float:
        return self.samples.shape[0] / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class MelWindows:
    """One log-mel window per video frame."""

    windows: Tensor
    """(T, 1, 80, 16) in [-4, 4]: 80 mel bands by 16 columns of 12.5 ms around the frame; digital silence is -4"""
    fps: float
    """video frames a second, > 0"""

    def __post_init__(self) -> None:
        check_shape("MelWindows.windows", self.windows, "T 1 80 16")
        _check_fps("MelWindows", self.fps)

    def __len__(self) -> int:
        return self.windows.shape[0]


@dataclass(frozen=True, slots=True)
class BlinkCurve:
    """How far the eyes are closed in each frame."""

    closure: Tensor
    """(T,) from 0 open to 1 closed"""
    fps: float

    def __post_init__(self) -> None:
        check_shape("BlinkCurve.closure", self.closure, "T")
        _check_fps("BlinkCurve", self.fps)

    def __len__(self) -> int:
        return self.closure.shape[0]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """A track of 3DMM coefficients; a stage may fill only the stream it predicts."""

    basis: str
    """name of the space the numbers live in: 'bfm09' (official pack) or 'open3' (open pack)"""
    fps: float
    expression: Tensor | None = None
    """(T, 64), coordinates in the expression basis"""
    pose: Tensor | None = None
    """(T, 6): pitch, yaw, roll in radians, then translation x, y, z in the unit of the basis"""
    crop: Tensor | None = None
    """(T, 3) alignment scale, x, y in pixels; only the official pack's full modes read it"""

    def __post_init__(self) -> None:
        _check_fps("Coefficients", self.fps)
        if self.expression is None and self.pose is None:
            raise SadTalkerError("Coefficients need an expression stream, a pose stream, or both; got neither.")
        lengths: dict[str, int] = {}
        for name, tensor, size in (
            ("expression", self.expression, EXPRESSION_SIZE),
            ("pose", self.pose, POSE_SIZE),
            ("crop", self.crop, 3),
        ):
            if tensor is not None:
                lengths[name] = check_shape(f"Coefficients.{name}", tensor, f"T {size}")["T"]
        if len(set(lengths.values())) > 1:
            raise SadTalkerError(f"Coefficients streams must have one length, got {lengths} frames.")

    def __len__(self) -> int:
        stream = self.expression if self.expression is not None else self.pose
        assert stream is not None
        return stream.shape[0]


@dataclass(frozen=True, slots=True)
class Crop:
    """Which part of a picture is rendered, and at which size."""

    left: int
    top: int
    right: int
    bottom: int
    """box in picture pixels, right and bottom exclusive; inside the picture"""
    width: int
    height: int
    """size of the rendered frames in pixels, both even"""

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per picture pixel, (x, y)."""
        return self.width / (self.right - self.left), self.height / (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class SourceFace:
    """A portrait, prepared once and driven many times."""

    picture: Tensor
    """(3, H, W) the whole picture"""
    cropped: Tensor
    """(3, h, w) the part that is rendered, as the pack's renderer reads it: the mesh renderer at the frames' own size,
    the official networks as a square"""
    crop: Crop
    """where that part lies in ``picture``, and the size of the frames"""
    landmarks: Tensor
    """(478, 3) in pixels of ``cropped``; z in the same unit, negative towards the camera"""
    identity: Tensor
    """(80,) identity coefficients"""
    basis: str
    """name of the space that its coefficients live in, see ``Coefficients``"""
    expression: Tensor
    """(64,) the portrait's own expression"""
    pose: Tensor
    """(6,) the portrait's own head pose, see ``Coefficients``"""
    camera: Similarity | None = None
    """B = 1; from the canonical frame of a pack with vertices to the picture frame of ``cropped`` (pixels, y up, origin
    at the centre); None for other packs"""
    place: Tensor | None = None
    """(3,) scale, x and y of the alignment in pixels: the official pack's full framings"""

    def __post_init__(self) -> None:
        check_shape("SourceFace.picture", self.picture, "3 H W")
        check_shape("SourceFace.cropped", self.cropped, "3 H W")
        check_shape("SourceFace.landmarks", self.landmarks, "478 3")
        check_shape("SourceFace.identity", self.identity, str(IDENTITY_SIZE))
        check_shape("SourceFace.expression", self.expression, str(EXPRESSION_SIZE))
        check_shape("SourceFace.pose", self.pose, str(POSE_SIZE))
        if self.place is not None:
            check_shape("SourceFace.place", self.place, "3")

    @property
    def coefficients(self) -> Coefficients:
        """The portrait's own expression and pose, as a track of one frame."""
        crop = None if self.place is None else self.place[None]
        return Coefficients(self.basis, MODEL_FPS, self.expression[None], self.pose[None], crop)

    @property
    def landmarks_in_picture(self) -> Tensor:
        """(478, 3) in pixels of ``picture``; z in the same unit."""
        crop, (height, width) = self.crop, self.cropped.shape[1:]
        across, down = (crop.right - crop.left) / width, (crop.bottom - crop.top) / height
        scale = self.landmarks.new_tensor((across, down, (across * down) ** 0.5))
        return self.landmarks * scale + self.landmarks.new_tensor((crop.left, crop.top, 0))

    @property
    def shows_whole_picture(self) -> bool:
        """Whether the frames show all of the picture, so that there is nothing to paste them into."""
        height, width = self.picture.shape[1:]
        return (self.crop.left, self.crop.top, self.crop.right, self.crop.bottom) == (0, 0, width, height)


@dataclass(frozen=True, slots=True)
class HeadTurn:
    """Head angles that replace those of the coefficients; None leaves an angle as it is."""

    yaw: Tensor | None = None
    """(T,) degrees"""
    pitch: Tensor | None = None
    roll: Tensor | None = None

    def __post_init__(self) -> None:
        lengths = {len(angle) for angle in self.angles.values() if angle is not None}
        if len(lengths) > 1:
            raise SadTalkerError(f"The curves of a HeadTurn must have one length, got {sorted(lengths)} frames.")

    @property
    def angles(self) -> dict[str, Tensor | None]:
        return {"yaw": self.yaw, "pitch": self.pitch, "roll": self.roll}


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Where the face's points are in the source and in each driving frame."""

    source: Tensor
    """(K, 3); K = 478: pixels of the cropped source; K = 15: the official renderer's normalised volume, [-1, 1]"""
    driving: Tensor
    """(T, K, 3), the same unit and frame of reference"""
    fps: float

    def __post_init__(self) -> None:
        size = check_shape("Keypoints.source", self.source, "K 3")["K"]
        check_shape("Keypoints.driving", self.driving, f"T {size} 3")
        _check_fps("Keypoints", self.fps)

    def __len__(self) -> int:
        return self.driving.shape[0]


def _check_fps(owner: str, fps: float) -> None:
    if not 0 < fps <= 240:
        raise SadTalkerError(f"{owner}: the frame rate must lie above 0 and at most 240 frames a second, got {fps}.")
