"""KEYPOINTS -> pictures of them in 3D, turning from side to side so that their depth is visible."""

from __future__ import annotations

from math import pi, radians, sin

import cv2
import numpy as np
import torch
from torch import Tensor

from ..checks import check_shape
from ..errors import SadTalkerError
from ..face.morphable import VERTICES
from ..face.regions import INNER_LIPS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from ..face.topology import load_face_mesh
from ..flow import Keypoints
from ..pictures.levels import pictures_of
from ..progress import Progress, no_progress

SMALLEST_VIEW, LARGEST_VIEW = 64, 2048
"""Range of the side of the pictures in pixels."""
SWING_SECONDS = 6.0
"""Duration of one cycle: from the front to one side, to the other side, and back."""
BACKGROUND, SKIN, MOUTH, EYE, IRIS, POINT = (
    (24, 26, 30),
    (205, 182, 165),
    (60, 18, 22),
    (238, 238, 234),
    (60, 80, 110),
    (120, 190, 250),
)
LIGHT = np.array((-0.35, -0.45, -0.82))
"""Direction to the light: from above, a little from the left, mostly from the camera."""
SHARPNESS = 2
"""The pictures are drawn this many times larger and then reduced, for smooth edges."""


def turning_view(
    keypoints: Keypoints, *, size: int, swing: float = 35.0, on_progress: Progress = no_progress
) -> Tensor:
    """Pictures (T, 3, size, size) in [0, 1]: the mesh of the open pack as a shaded face, or other keypoints as balls.

    Args:
        keypoints: x to the picture's right, y down, z away from the camera; any unit.
        size: even number of pixels.
        swing: degrees by which the view turns to each side; 0 is a fixed front view.

    Raises:
        SadTalkerError: ``size`` or ``swing`` is out of range, or a keypoint is NaN or infinite.
    """
    if not (SMALLEST_VIEW <= size <= LARGEST_VIEW and size % 2 == 0):
        raise SadTalkerError(
            f"The size must be an even number from {SMALLEST_VIEW} to {LARGEST_VIEW} pixels, got {size}."
        )
    if not 0 <= swing <= 90:
        raise SadTalkerError(f"The swing must be from 0 to 90 degrees, got {swing}.")
    if not bool(keypoints.driving.isfinite().all()):
        raise SadTalkerError("Some keypoints are NaN or infinite. Check the coefficients with Preview Coefficients.")
    points = _centred(keypoints, size * SHARPNESS)
    draw = _draw_mesh if points.shape[1] == VERTICES else _draw_points
    frames = torch.empty(len(keypoints), 3, size, size)
    for number, shape in enumerate(points):
        angle = radians(swing) * sin(2 * pi * number / keypoints.fps / SWING_SECONDS)
        canvas = np.full((size * SHARPNESS, size * SHARPNESS, 3), BACKGROUND, np.uint8)
        draw(canvas, shape @ _turn(angle))
        small = np.asarray(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        frames[number] = pictures_of(small)
        on_progress(number + 1, len(points))
    return frames


def _centred(keypoints: Keypoints, size: int) -> np.ndarray:
    """(T, K, 3) in pixels of the canvas, relative to its centre; the portrait's points fill three quarters of it."""
    check_shape("Keypoints.source", keypoints.source, "K 3")
    middle = keypoints.source.mean(0)
    radius = (keypoints.source - middle).norm(dim=1).max().clamp_min(1e-6)
    return ((keypoints.driving - middle) * (0.375 * size / radius)).double().cpu().numpy()


def _turn(angle: float) -> np.ndarray:
    """Matrix (3, 3) of a rotation about the vertical axis; rows are multiplied by it."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array(((cosine, 0.0, -sine), (0.0, 1.0, 0.0), (sine, 0.0, cosine)))


def _draw_mesh(canvas: np.ndarray, shape: np.ndarray) -> None:
    triangles, colours = _coloured_triangles()
    corners = shape[triangles]  # (898, 3, 3)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    shade = 0.3 + 0.7 * np.abs(normal @ LIGHT)
    flat = _on_canvas(corners, canvas)
    for number in np.argsort(-corners[:, :, 2].mean(1)):  # the farthest first
        cv2.fillConvexPoly(canvas, flat[number], (colours[number] * shade[number]).tolist(), cv2.LINE_AA, _FRACTION)
    radius = max(1, round(0.4 * float(np.linalg.norm(shape[LEFT_IRIS[1]] - shape[LEFT_IRIS[3]]))))
    for iris in (LEFT_IRIS[0], RIGHT_IRIS[0]):
        centre = _on_canvas(shape[iris], canvas)
        cv2.circle(canvas, centre.tolist(), radius << _FRACTION, IRIS, -1, cv2.LINE_AA, _FRACTION)


def _draw_points(canvas: np.ndarray, shape: np.ndarray) -> None:
    near, far = shape[:, 2].min(), shape[:, 2].max()
    for number in np.argsort(-shape[:, 2]):
        nearness = (far - shape[number, 2]) / max(far - near, 1e-9)  # 1 nearest
        radius = round(canvas.shape[0] * (0.012 + 0.012 * nearness))
        colour = (np.array(POINT) * (0.35 + 0.65 * nearness)).tolist()
        centre = _on_canvas(shape[number], canvas)
        cv2.circle(canvas, centre.tolist(), radius << _FRACTION, colour, -1, cv2.LINE_AA, _FRACTION)


_FRACTION = 4
"""Number of fractional bits in the coordinates that OpenCV draws."""


def _on_canvas(points: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """Fixed-point pixels (..., 2) of points (..., 3) given relative to the centre of the canvas."""
    pixels = (points[..., :2] + canvas.shape[0] / 2) * (1 << _FRACTION)
    return np.round(np.clip(pixels, -(2**24), 2**24)).astype(np.int32)


def _coloured_triangles() -> tuple[np.ndarray, np.ndarray]:
    """Vertex numbers (898, 3) and colours (898, 3); the openings of mouth and eyes have their own colours."""
    triangles = load_face_mesh().triangles.numpy()
    colours = np.tile(np.array(SKIN, float), (len(triangles), 1))
    colours[np.isin(triangles, INNER_LIPS).all(1)] = MOUTH
    colours[np.isin(triangles, LEFT_EYE).all(1) | np.isin(triangles, RIGHT_EYE).all(1)] = EYE
    return triangles, colours
