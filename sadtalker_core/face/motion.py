"""A video -> COEFFICIENTS: what its main face does in every frame."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import FaceNotFoundError, SadTalkerError
from ..flow import BlinkCurve, Coefficients, SourceFace
from ..progress import Progress, no_progress
from .extractor import Extractor
from .framing import FRAMINGS
from .landmarks import FaceLandmarker
from .measures import eye_closure, eye_opening
from .tracking import follow_face

MISSING = ("error", "hold", "skip")
"""What to do with frames that show no usable face. hold: repeat what was found last, in the frames before the first
face what is found first. skip: leave the frame out, so that the track is shorter than the video."""
_CROP_SIZE = 512
"""Longer side of the crop that poses of the open pack refer to; coefficients do not depend on it."""


@dataclass(frozen=True, slots=True)
class FaceMotion:
    """What a face does in a video."""

    coefficients: Coefficients
    """expression and pose of each frame"""
    blink: BlinkCurve
    """closure of the eyes in the same frames, as their lids show it"""
    found: Tensor
    """(F,) bool, for each frame of the video: it shows a usable face"""


@torch.no_grad()
def face_motion(
    landmarker: FaceLandmarker,
    extractor: Extractor,
    frames: Iterable[Tensor],
    fps: float,
    *,
    framing: str = "crop",
    missing: str = "error",
    on_progress: Progress = no_progress,
) -> FaceMotion:
    """Follow the largest face of a video; the result is on the CPU.

    Args:
        frames: pictures (3, H, W) in [0, 1], all of one size, in order; each is read once and not kept.
        fps: of the video.
        framing: one of ``face3d.extract.FRAMINGS``, applied to the first frame with a face and kept for all of them.
            Take the portrait's.
        missing: one of ``MISSING``.

    Raises:
        FaceNotFoundError: no frame shows a face, or one does not and ``missing`` is "error".
        SadTalkerError: an argument is out of its range.
    """
    for name, value, allowed in (("framing", framing, FRAMINGS), ("missing", missing, MISSING)):
        if value not in allowed:
            raise SadTalkerError(f"{name} must be one of {', '.join(allowed)}; got '{value}'.")
    rows = _Rows(extractor, framing, fps, missing)
    total = len(frames) if isinstance(frames, Sized) else 0
    for pictures, points, presence in follow_face(landmarker, frames):
        for picture, place, sure in zip(pictures, points.to(pictures.device), presence, strict=True):
            rows.add(picture, place if sure > 0 else None)
        on_progress(len(rows.found), max(len(rows.found), total))
    return rows.motion()


@dataclass(slots=True)
class _Rows:
    """The frames seen so far, as coefficients."""

    extractor: Extractor
    framing: str
    fps: float
    missing: str
    first: SourceFace | None = None
    expression: list[Tensor] = field(default_factory=list)
    pose: list[Tensor] = field(default_factory=list)
    opening: list[Tensor] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)

    def add(self, picture: Tensor, points: Tensor | None) -> None:
        """The next frame (3, H, W) with its landmarks (478, 3), or without."""
        reason = ""
        try:
            found = None if points is None else self._follow(picture, points)
        except FaceNotFoundError as error:
            found, reason = None, f" {error}"
        if found is None and self.missing == "error":
            number = len(self.found)
            raise FaceNotFoundError(
                f"No usable face in frame {number} of the video ({number / self.fps:.2f} s).{reason} Cut the video, or "
                "choose what to do with such frames: hold the last one, or skip them."
            )
        self.found.append(found is not None)
        if found is not None and points is not None:
            expression, pose = found
            self.expression.append(expression.cpu())
            self.pose.append(pose.cpu())
            self.opening.append(eye_opening(points[None]).cpu())

    def motion(self) -> FaceMotion:
        """All of them together."""
        if self.first is None:
            raise FaceNotFoundError(
                f"None of the {len(self.found)} frames of the video shows a usable face. Use a video of one person "
                "whose face is seen from the front and fills at least a tenth of the picture."
            )
        found = torch.tensor(self.found)
        frames = torch.arange(len(self.expression))
        if self.missing == "hold":
            frames = (found.long().cumsum(0) - 1).clamp(min=0)
        track = Coefficients(
            self.first.basis, self.fps, torch.stack(self.expression)[frames], torch.stack(self.pose)[frames]
        )
        return FaceMotion(track, BlinkCurve(eye_closure(torch.cat(self.opening)[frames]), self.fps), found)

    def _follow(self, picture: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        if self.first is None:
            self.first = self.extractor.extract(picture, points, framing=self.framing, size=_CROP_SIZE)
        return self.extractor.follow(self.first, picture, points)
