"""Where a face is, said by a person: for drawings and other faces that are not found."""

from __future__ import annotations

import math
import re
from functools import cache

import torch
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from ..checks import check_shape
from ..errors import FaceNotFoundError, SadTalkerError
from ..files.assets import OPEN_ASSETS
from ..files.read import read_safetensors
from .landmarks import MIN_SCORE, FaceDetection, FaceLandmarker
from .points68 import INDICES
from .regions import FIVE_POINTS

COUNTS = (5, 68)
_TURNS = (0, -30, 30, -60, 60, 180)
"""Degrees in which a face in a region is tried, the likeliest first."""
_SIZES = (1.0, 0.75, 1.3)
"""Likewise, as multiples of the region's size: people paint over the features alone, or over the hair, too."""
_SURE = 0.9
"""Presence at which no other size or turn is tried."""
Box = tuple[int, int, int, int]
"""left, top, right, bottom in picture pixels"""


def landmarks_in_region(landmarker: FaceLandmarker, picture: Tensor, region: Tensor) -> Tensor:
    """Landmarks (478, 3), pixels of ``picture`` (3, H, W), of the face in a region (H, W), which is above 0.5 there.

    Raises:
        ShapeError: the region has another size than the picture.
        FaceNotFoundError: the region is empty, or no features of a face can be made out in it.
    """
    height, width = picture.shape[1:]
    check_shape("region", region, f"{height} {width}")
    inside = (region > 0.5).nonzero()
    if not len(inside):
        raise FaceNotFoundError("The mask that should show where the face is has no painted part. Paint over the face.")
    (top, left), (bottom, right) = inside.amin(0).tolist(), (inside.amax(0) + 1).tolist()
    best = max(
        (landmarker.landmarks(picture, face) for face in _candidates(landmarker, picture, (left, top, right, bottom))),
        key=lambda found: found.presence,
    )
    if best.presence < MIN_SCORE:
        raise FaceNotFoundError(
            f"No features of a face could be made out under the mask, {right - left}x{bottom - top} pixels at "
            f"({left}, {top}) (confidence {best.presence:.2f}, needed {MIN_SCORE}). Paint over the face from brows to "
            "chin and no more, or give its points."
        )
    return best.points


def landmarks_from_points(points: Tensor, width: int, height: int) -> Tensor:
    """Landmarks (478, 3) of an average face that is posed and bent so that it goes through given points.

    Args:
        points: pixels of a picture of width x height, (5, 2): both pupils, the nose's tip and both mouth corners,
            the picture's left one first each time; or (68, 2) in the order of the iBUG annotation.

    A weak perspective camera by least squares, then a thin-plate spline (Bookstein, 1989) for what is left.

    Raises:
        SadTalkerError: another number of points.
        FaceNotFoundError: they lie outside the picture, or not as those of a face.
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) not in COUNTS:
        raise SadTalkerError(f"Expected 5 or 68 points (N, 2) of the face, got the shape {tuple(points.shape)}.")
    given = points.double()
    if not (torch.isfinite(given).all() and (given >= 0).all() and (given <= given.new_tensor((width, height))).all()):
        raise FaceNotFoundError(
            f"The points of the face must lie inside the {width}x{height} picture. Give them in its pixels, x and y in "
            "turn, from the upper left corner."
        )
    face = _average_face().to(given)
    parts = FIVE_POINTS if len(points) == len(FIVE_POINTS) else [(index,) for index in INDICES]
    anchors = torch.stack([face[list(part)].mean(0) for part in parts])
    linear, offset, scale = _camera(anchors, given)
    _check_order(linear, given)
    posed = face @ linear.T + offset
    there = anchors @ linear.T + offset
    posed[:, :2] += _spline(there[:, :2], given - there[:, :2], posed[:, :2], scale)
    return posed.to(points)


def points_from_text(text: str) -> Tensor:
    """Points (5, 2) or (68, 2) from numbers x y x y … in a text, whatever stands between them.

    Raises:
        SadTalkerError: there are not 10 or 136 numbers.
    """
    numbers = [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", text)]
    if len(numbers) not in [2 * count for count in COUNTS]:
        raise SadTalkerError(
            f"Expected x and y of 5 points (left eye, right eye, nose tip, left and right mouth corner, as seen in the "
            f"picture) or of 68, so 10 or 136 numbers; got {len(numbers)}."
        )
    return torch.tensor(numbers).reshape(-1, 2)


def _candidates(landmarker: FaceLandmarker, picture: Tensor, box: Box) -> list[FaceDetection]:
    """What the detector finds in the box, seen from near; if nothing, guesses until one convinces the mesh."""
    left, top, right, bottom = box
    room = max(right - left, bottom - top) // 2
    x0, y0 = max(left - room, 0), max(top - room, 0)
    part = picture[:, y0 : bottom + room, x0 : right + room]
    shift = picture.new_tensor((x0, y0))
    found = [
        FaceDetection(face.box + shift.repeat(2), face.keypoints + shift, face.score)
        for face in landmarker.detect_each(part[None])[0]
    ]
    found = [face for face in found if _centre_inside(face, box)]
    found = [face for face in found if landmarker.landmarks(picture, face).presence >= MIN_SCORE]
    if found:
        return found[:1]
    guesses: list[FaceDetection] = []
    for turn in _TURNS:
        for size in _SIZES:
            guess = _guess(picture, box, turn, size)
            guesses.append(guess)
            if landmarker.landmarks(picture, guess).presence >= _SURE:
                return [guess]
    return guesses


def _centre_inside(face: FaceDetection, box: Box) -> bool:
    left, top, right, bottom = box
    x, y = ((face.box[:2] + face.box[2:]) / 2).tolist()
    return left <= x <= right and top <= y <= bottom


def _guess(like: Tensor, box: Box, turn: float, size: float) -> FaceDetection:
    """A face that fills the box, or ``size`` times as much, its eyes turned by so many degrees."""
    left, top, right, bottom = box
    centre = like.new_tensor(((left + right) / 2, (top + bottom) / 2))
    half = size * min(right - left, bottom - top) / 2
    angle = math.radians(turn)
    eyes = like.new_tensor((math.cos(angle), math.sin(angle))) * half / 2
    keypoints = torch.stack((centre - eyes, centre + eyes, *[centre] * 4))
    return FaceDetection(torch.cat((centre - half, centre + half)), keypoints, MIN_SCORE)


@cache
def _average_face() -> Tensor:
    """(478, 3) mean of the open pack's face model, x to the picture's right, y down, z away from the camera."""
    mean = read_safetensors(OPEN_ASSETS / "morphable.safetensors").tensors["mean"]
    return mean.double() * mean.new_tensor((1.0, -1.0, -1.0)).double()


def _camera(face: Tensor, points: Tensor) -> tuple[Tensor, Tensor, float]:
    """Scaled rotation (3, 3) and offset (3,) from face points (N, 3) to the picture, and the scale."""
    centre, middle = face.mean(0), points.mean(0)
    # A little of "as seen from the front" decides what few points leave open.
    a = face - centre
    extra = torch.diag(a.new_tensor((0.0, 0.0, 0.3))) * a.norm()
    solved = torch.linalg.lstsq(torch.cat((a, extra)), torch.cat((points - middle, a.new_zeros(3, 2)))).solution.T
    u, s, vh = torch.linalg.svd(solved, full_matrices=False)  # (2, 3)
    if not s[1] > 0.25 * s[0]:
        raise FaceNotFoundError("The points given do not lie as those of a face: they are nearly on one line.")
    scale = float(s.mean())
    rows = u @ vh
    rotation = torch.cat((rows, torch.linalg.cross(rows[0], rows[1])[None]))
    linear = scale * rotation
    offset = torch.cat((middle - linear[:2] @ centre, -linear[2:] @ centre))
    return linear, offset, scale


def _check_order(linear: Tensor, points: Tensor) -> None:
    """A face seen from behind or as in a mirror means that the points came in another order."""
    if linear[2, 2] <= 0:
        raise FaceNotFoundError(
            "The points given do not lie as those of a face. Their order is: the eye on the picture's left, the eye on "
            f"the right, the nose's tip, the mouth's left and right corner; got {points[:5].round().int().tolist()}."
        )


def _spline(knots: Tensor, values: Tensor, places: Tensor, unit: float) -> Tensor:
    """Thin-plate spline through ``values`` (N, 2) at ``knots`` (N, 2), at ``places`` (M, 2)."""
    spline = RBFInterpolator((knots / unit).cpu().numpy(), values.cpu().numpy(), kernel="thin_plate_spline")
    return torch.from_numpy(spline((places / unit).cpu().numpy())).to(places)
