"""A picture -> faces -> 478 points each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import box_iou

from ..checks import check_shape
from ..files.read import load_strictly, read_safetensors
from .landmark_networks import (
    ANCHOR_GRIDS,
    DETECTOR_SIZE,
    FACE_KEYPOINTS,
    MESH_SIZE,
    FaceDetectorNetwork,
    FaceMeshNetwork,
)
from .regions import OUTER_EYE_CORNERS

MIN_SCORE = 0.5
"""Detections below are dropped; landmarks with a presence below are no face."""
_OVERLAP = 0.3
"""Detections that share more (intersection over union) are the same face."""
_MARGIN = 1.5
"""Side of the mesh network's square as a multiple of the face's box; what the network was trained on."""
_PASSES = 3
"""Measured on 17 portraits, a detection off by 6 % moves the points by 1.2 % of the distance between the irises after
one pass, 0.46 % after two, and 0.22 % after three."""
_TILE_SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Sides of the tiles of the search for small faces, as shares of the longer side of the picture."""
_TILE_OVERLAP = 1 / 3
"""Share of a tile that the next one covers too: faces that are larger were found on the coarser level."""
_MIN_TILE = 96
"""Tiles smaller than this many pixels hold too few of them to show a face the coarser searches missed."""
_MAX_CANDIDATES = 16
_BATCH = 8
"""Pictures that go through a network at once; more fall out of a processor's cache and are slower."""


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """A face and roughly where it is."""

    box: Tensor
    """(4,) left, top, right, bottom in picture pixels; may reach outside the picture"""
    keypoints: Tensor
    """(6, 2) picture pixels: eye, eye (the picture's left one first), nose tip, mouth, ear, ear"""
    score: float
    """from 0.5 to 1"""

    @property
    def area(self) -> float:
        """Pixels that the box covers."""
        width, height = (self.box[2:] - self.box[:2]).tolist()
        return width * height


@dataclass(frozen=True, slots=True)
class FaceLandmarks:
    """The points of one face."""

    points: Tensor
    """(478, 3) picture pixels; z in the same unit, negative towards the camera"""
    presence: float
    """how sure the network is, from 0 to 1, that it saw a face; below 0.5 the points mean nothing"""


@dataclass(frozen=True, slots=True)
class FaceRegion:
    """A square, turned so that the face in it stands upright: what the mesh network sees."""

    x: float
    y: float
    """centre, picture pixels"""
    size: float
    """side, picture pixels"""
    angle: float
    """radians, clockwise in the picture"""

    def to_picture(self, points: Tensor) -> Tensor:
        """Points (..., 3) in pixels of the mesh network's input -> picture pixels."""
        scale = self.size / MESH_SIZE
        cos, sin = scale * math.cos(self.angle), scale * math.sin(self.angle)
        x, y, z = (points - points.new_tensor((MESH_SIZE / 2, MESH_SIZE / 2, 0.0))).unbind(-1)
        return torch.stack((cos * x - sin * y + self.x, sin * x + cos * y + self.y, scale * z), -1)

    def distance(self, other: FaceRegion) -> float:
        """How far the other region is from this one: shift, change of size and turn, as a fraction of the size."""
        shift = math.hypot(self.x - other.x, self.y - other.y) / self.size
        turn = abs(math.remainder(self.angle - other.angle, 2 * math.pi))
        return max(shift, abs(math.log(other.size / self.size)), turn)


class FaceLandmarker(nn.Module):
    """Google's face detector and face mesh. Both methods work on the device of the picture, without gradients."""

    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.detector = FaceDetectorNetwork()
        self.mesh = FaceMeshNetwork()
        self.register_buffer("anchors", _anchors(), persistent=False)

    @torch.no_grad()
    def detect(self, picture: Tensor) -> tuple[FaceDetection, ...]:
        """All faces of a picture (3, H, W) in [0, 1], the largest first; empty if there is none.

        The detector sees the whole picture at 128 pixels. If there is nothing, it looks for small faces in ever smaller
        tiles, down to faces of about 1 % of the longer side. Only faces that the mesh network confirms count.
        """
        check_shape("picture", picture, "3 H W")
        faces = self._confirmed(picture, self.detect_each(picture[None])[0])
        return faces or self._detect_small(picture)

    @torch.no_grad()
    def detect_all(self, picture: Tensor) -> tuple[FaceDetection, ...]:
        """All faces of a picture (3, H, W) in [0, 1], the largest first, small ones beside large ones, too.

        Searches every size of tile, so it takes up to a second; ``detect`` stops at the first where there is a face.
        """
        check_shape("picture", picture, "3 H W")
        sides = [max(picture.shape[1:]), *self._tile_sides(picture)]
        points, scores = zip(*(self._search_tiles(picture, side) for side in sides), strict=True)
        return self._confirmed(picture, _merge(torch.cat(points), torch.cat(scores)))

    @torch.no_grad()
    def detect_each(self, pictures: Tensor) -> list[tuple[FaceDetection, ...]]:
        """Faces of each picture (B, 3, H, W) that show at 128 pixels already, the largest first."""
        check_shape("pictures", pictures, "B 3 H W")
        height, width = pictures.shape[2:]
        side = max(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        boxes, scores = self._run_detector(fit_square(pictures, DETECTOR_SIZE))
        boxes = boxes * (side / DETECTOR_SIZE) + boxes.new_tensor((left, top))
        return [_merge(box, score) for box, score in zip(boxes, scores, strict=True)]

    @torch.no_grad()
    def landmarks(self, picture: Tensor, detection: FaceDetection) -> FaceLandmarks:
        """The 478 points of a face in a picture (3, H, W) in [0, 1]; look at ``presence`` before using them.

        Runs three times: the region that follows from a run's points is steadier than the one before it.
        """
        check_shape("picture", picture, "3 H W")
        region = region_of_detection(detection)
        best: tuple[Tensor, Tensor] | None = None
        for _ in range(_PASSES):
            points, presence = self.landmarks_each(picture[None], region)
            best = (points, presence) if best is None or presence[0] >= MIN_SCORE else best
            if presence[0] < MIN_SCORE:
                break
            region = regions_of_points(points)[0]
        assert best is not None
        return FaceLandmarks(best[0][0], float(best[1][0]))

    @torch.no_grad()
    def landmarks_each(self, pictures: Tensor, region: FaceRegion) -> tuple[Tensor, Tensor]:
        """Points (B, 478, 3) in picture pixels and presence (B,) of the face in one region of pictures (B, 3, H, W)."""
        found = [self.mesh(crop_region(part, region)) for part in pictures.split(_BATCH)]
        points = torch.cat([output.points for output in found])
        return region.to_picture(points), torch.cat([output.logits for output in found]).sigmoid()

    def _detect_small(self, picture: Tensor) -> tuple[FaceDetection, ...]:
        for side in self._tile_sides(picture):
            if faces := self._confirmed(picture, _merge(*self._search_tiles(picture, side))):
                return faces
        return ()

    def _tile_sides(self, picture: Tensor) -> list[int]:
        sides = [math.ceil(max(picture.shape[1:]) * share) for share in _TILE_SHARES]
        return [side for side in sides if side >= _MIN_TILE]

    def _confirmed(self, picture: Tensor, faces: tuple[FaceDetection, ...]) -> tuple[FaceDetection, ...]:
        """Those of the best-scored ``faces`` in which the mesh network sees a face too, in the order given."""
        best = sorted(faces, key=lambda face: -face.score)[:_MAX_CANDIDATES]
        sure = [face for face in best if self.landmarks_each(picture[None], region_of_detection(face))[1] >= MIN_SCORE]
        return tuple(face for face in faces if any(face is other for other in sure))

    def _search_tiles(self, picture: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Points (N, 8, 2) in picture pixels and scores (N,) as from ``_run_detector``, of all tiles together."""
        height, width = picture.shape[1:]
        corners = [(left, top) for top in _tile_starts(height, side) for left in _tile_starts(width, side)]
        points: list[Tensor] = []
        scores: list[Tensor] = []
        for start in range(0, len(corners), _BATCH):
            group = corners[start : start + _BATCH]
            tiles = [picture[None, :, top : top + side, left : left + side] for left, top in group]
            found, score = self._run_detector(torch.cat([fit_square(tile, DETECTOR_SIZE) for tile in tiles]))
            # A picture narrower than ``side`` lies in the middle of the detector's square.
            unused = ((side - min(side, width)) / 2, (side - min(side, height)) / 2)
            offset = found.new_tensor(group) - found.new_tensor(unused)
            points.append(found * (side / DETECTOR_SIZE) + offset[:, None, None])
            scores.append(score)
        return torch.cat(points).flatten(0, 1), torch.cat(scores).flatten()

    def _run_detector(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Points (B, 896, 8, 2) and scores (B, 896) of squares (B, 3, 128, 128) in [0, 1].

        The points are the box's corners and the six keypoints, in pixels of the square.
        """
        found = self.detector(squares * 2 - 1)
        values = found.boxes.unflatten(2, (2 + FACE_KEYPOINTS, 2))
        centre, size, keypoints = values[:, :, :1], values[:, :, 1:2], values[:, :, 2:]
        points = torch.cat((centre - size / 2, centre + size / 2, keypoints), 2) + self.anchors[:, None]
        return points, found.logits.sigmoid()


def load_landmarker(path: Path) -> FaceLandmarker:
    """The landmarker from its file, float32, on the CPU, ready to use.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit.
    """
    landmarker = FaceLandmarker()
    load_strictly(landmarker, read_safetensors(path))
    # A processor would take half as long again without this.
    landmarker.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return landmarker.eval().requires_grad_(False)


def region_of_detection(detection: FaceDetection) -> FaceRegion:
    """Where the mesh network should look for the points of a detected face."""
    left, top, right, bottom = detection.box.tolist()
    (ax, ay), (bx, by) = detection.keypoints[:2].tolist()
    side = _MARGIN * max(right - left, bottom - top)
    return FaceRegion((left + right) / 2, (top + bottom) / 2, side, math.atan2(by - ay, bx - ax))


def regions_of_points(points: Tensor) -> list[FaceRegion]:
    """The regions around faces (B, 478, 3) whose points are known, for the same or the next picture."""
    plane = points[..., :2]
    eyes = plane[:, OUTER_EYE_CORNERS[1]] - plane[:, OUTER_EYE_CORNERS[0]]
    angle = torch.atan2(eyes[:, 1], eyes[:, 0])
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack((cos, -sin, sin, cos), -1).unflatten(-1, (2, 2))  # columns: axes of the upright face
    upright = plane @ turn
    low, high = upright.amin(1), upright.amax(1)
    centre = (((low + high) / 2)[:, None] @ turn.transpose(1, 2))[:, 0]
    size = _MARGIN * (high - low).amax(1)
    rows = torch.cat((centre, size[:, None], angle[:, None]), 1).tolist()
    return [FaceRegion(*row) for row in rows]


def _anchors() -> Tensor:
    """Centres (896, 2) of the detector's anchors, pixels of its input."""
    grids: list[Tensor] = []
    for cells, anchors in ANCHOR_GRIDS:
        centres = (torch.arange(cells) + 0.5) * (DETECTOR_SIZE / cells)
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        grids.append(torch.stack((x, y), -1).reshape(-1, 2).repeat_interleave(anchors, 0))
    return torch.cat(grids)


def _merge(points: Tensor, scores: Tensor) -> tuple[FaceDetection, ...]:
    """Anchors' points (N, 8, 2) and scores (N,) -> faces, the largest first.

    Boxes that overlap become their mean, weighted by score; a box in the middle of a better one is dropped.
    """
    kept = scores >= MIN_SCORE
    scores, order = scores[kept].sort(descending=True)
    points = points[kept][order]
    faces: list[FaceDetection] = []
    while len(scores):
        boxes = points[:, :2].flatten(1)
        same = box_iou(boxes[:1], boxes)[0] > _OVERLAP
        same[0] = True
        weights = scores[same] / scores[same].sum()
        mean = (weights[:, None, None] * points[same]).sum(0)
        faces.append(FaceDetection(mean[:2].flatten(), mean[2:], float(scores[0])))
        centres = points[:, :2].mean(1)
        inside = ((centres > mean[0]) & (centres < mean[1])).all(1)
        points, scores = points[~(same | inside)], scores[~(same | inside)]
    return tuple(sorted(faces, key=lambda face: -face.area))


def fit_square(pictures: Tensor, size: int) -> Tensor:
    """Pictures (B, 3, H, W), resized without aliasing to lie in the middle of black squares (B, 3, size, size)."""
    height, width = pictures.shape[2:]
    scale = size / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    resized = F.interpolate(pictures, (h, w), mode="bilinear", antialias=True, align_corners=False)
    left, top = (size - w) // 2, (size - h) // 2
    padded = F.pad(resized, (left, size - w - left, top, size - h - top))
    return padded.contiguous(memory_format=torch.channels_last)


def crop_region(pictures: Tensor, region: FaceRegion) -> Tensor:
    """The region of pictures (B, 3, H, W) as (B, 3, 256, 256); what lies outside the picture is black."""
    height, width = pictures.shape[2:]
    radius = region.size * (abs(math.cos(region.angle)) + abs(math.sin(region.angle))) / 2 + 2
    left, right = (min(max(int(region.x + side), 0), width) for side in (-radius, radius))
    top, bottom = (min(max(int(region.y + side), 0), height) for side in (-radius, radius))
    if left >= right or top >= bottom:
        return pictures.new_zeros(pictures.shape[0], 3, MESH_SIZE, MESH_SIZE)
    part = pictures[:, :, top:bottom, left:right]
    shrink = max(1, int(region.size / MESH_SIZE))
    if shrink > 1:  # sampling alone would skip pixels
        part = F.avg_pool2d(part, shrink, ceil_mode=True, count_include_pad=False)
    scale = region.size / MESH_SIZE / shrink
    cos, sin = scale * math.cos(region.angle), scale * math.sin(region.angle)
    steps = torch.arange(MESH_SIZE, device=pictures.device) + 0.5 - MESH_SIZE / 2
    x = (cos * steps - sin * steps[:, None] + (region.x - left) / shrink) * (2 / part.shape[3]) - 1
    y = (sin * steps + cos * steps[:, None] + (region.y - top) / shrink) * (2 / part.shape[2]) - 1
    grid = torch.stack((x, y), -1).to(part.dtype).expand(pictures.shape[0], -1, -1, -1)  # (B, 256, 256, 2)
    cropped = F.grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return cropped.contiguous(memory_format=torch.channels_last)


def _tile_starts(length: int, side: int) -> list[int]:
    """First pixels of tiles that cover ``length`` with at least ``_TILE_OVERLAP``, evenly spread."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / (side * (1 - _TILE_OVERLAP))) + 1
    return [round(index * (length - side) / (count - 1)) for index in range(count)]
