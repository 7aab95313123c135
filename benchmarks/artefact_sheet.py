"""``python -m benchmarks.artefact_sheet OUT [PICTURE ...]``: where a warped portrait goes wrong, if it does.

Two rows a picture: the head turned by 15 degrees each way, then mouth and eyes, enlarged, opened and shut as far as
they go. Without pictures it shows the demo portrait.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from sadtalker_core.face.extract import extract_face
from sadtalker_core.face.morphable import MorphableModel, load_morphable_model
from sadtalker_core.face.regions import CHIN, INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_core.flow import Coefficients, SourceFace
from sadtalker_core.pack import Pack
from sadtalker_core.packs.open.load import load_open_pack
from sadtalker_core.pictures.levels import levels_of
from sadtalker_core.pictures.video import read_picture

from .common import ROOT

DEMO = ROOT / "sadtalker_core" / "assets" / "demo" / "portrait.jpg"
QUALITY = 86
TILE = 180
"""Side of each picture in the sheet, pixels."""
OPENING = 0.33
"""Lips apart as far as the widest mouth of speech clips, in distances between the outer eye corners."""
CASES = (
    # yaw, pitch, roll in degrees; mouth and eyes: 0 as in the portrait, 1 wide open, shut; what is shown
    (0, 0, 0, 0, 0, "head"),
    (-15, 0, 0, 0, 0, "head"),
    (15, 0, 0, 0, 0, "head"),
    (0, 12, 0, 0, 0, "head"),
    (0, -12, 0, 0, 0, "head"),
    (0, 0, -15, 0, 0, "head"),
    (0, 0, 15, 0, 0, "head"),
    (15, 8, 8, 0.4, 0, "head"),
    (0, 0, 0, 0, 0, "mouth"),
    (0, 0, 0, 0.3, 0, "mouth"),
    (0, 0, 0, 0.6, 0, "mouth"),
    (0, 0, 0, 1, 0, "mouth"),
    (15, 0, 0, 0.6, 0, "mouth"),
    (0, 0, 0, 0, 0.5, "eyes"),
    (0, 0, 0, 0, 1, "eyes"),
    (-15, 0, 0, 0, 0, "eyes"),
)


def main() -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.artefact_sheet", description=__doc__)
    parser.add_argument("out", type=Path, help="picture to write, .jpg or .png")
    parser.add_argument("pictures", type=Path, nargs="*", default=[DEMO])
    parser.add_argument("--size", type=int, default=512, help="longer side of the frames, pixels")
    given = parser.parse_args()
    pack = load_open_pack()
    pictures = map(read_picture, given.pictures)
    faces = [extract_face(pack.landmarker, pack.extractor, picture, size=given.size) for picture in pictures]
    sheet = torch.cat([face_rows(pack, face) for face in faces], 1)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels_of(sheet)).save(given.out, quality=QUALITY)
    print(f"{given.out}: {sheet.shape[2]}x{sheet.shape[1]}")


def face_rows(pack: Pack, face: SourceFace) -> Tensor:
    """The cases of one portrait (3, 2 TILE, 8 TILE)."""
    model = load_morphable_model(OPEN_ASSETS / "morphable.safetensors")
    own = face.coefficients
    assert own.expression is not None
    assert own.pose is not None
    angles = torch.tensor([(pitch, yaw, roll, 0, 0, 0) for yaw, pitch, roll, *_ in CASES]).float().deg2rad()
    moves = torch.stack([_movement(model, mouth, eyes) for *_, mouth, eyes, _ in CASES])
    track = Coefficients(model.basis, own.fps, own.expression + model.project(moves), own.pose + angles)
    keypoints = pack.mapping.keypoints(face, track)
    source = pack.renderer.prepare(face, keypoints.source)
    frames = [pack.renderer.render(source, driving[None])[0] for driving in keypoints.driving]
    tiles = [_tile(frame, face.landmarks, case[-1]) for frame, case in zip(frames, CASES, strict=True)]
    half = len(tiles) // 2
    return torch.cat((torch.cat(tiles[:half], 2), torch.cat(tiles[half:], 2)), 1)


def _movement(model: MorphableModel, mouth: float, eyes: float) -> Tensor:
    """Displacement (478, 3), canonical, that opens the mouth and shuts the eyes; the model makes a face of it."""
    moved = torch.zeros_like(model.mean)
    moved[[*INNER_LIPS[11:], *OUTER_LIPS[11:], *CHIN], 1] -= mouth * OPENING * _GAIN
    for ring in (LEFT_EYE, RIGHT_EYE):
        upper, lower = list(ring[1:8]), list(reversed(ring[9:]))
        moved[upper] += eyes * (model.mean[lower] - model.mean[upper])
    return moved


_GAIN = 1.25
"""The model reaches less than it is asked for."""


def _tile(frame: Tensor, landmarks: Tensor, part: str) -> Tensor:
    height, width = frame.shape[1:]
    face_width = float(landmarks[:, 0].max() - landmarks[:, 0].min())
    if part == "head":
        middle, side = torch.tensor((width / 2, height / 2)), max(width, height)
    elif part == "mouth":
        middle, side = landmarks[[0, 152], :2].mean(0), 0.72 * face_width
    else:
        middle, side = landmarks[168, :2], 0.95 * face_width
    steps = (torch.arange(TILE) + 0.5) / TILE - 0.5
    x, y = (middle[axis] + steps * side for axis in range(2))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) * (2 / torch.tensor((width, height))) - 1
    blur = max(1, round(side / TILE))
    smooth = F.avg_pool2d(frame[None], blur, 1, blur // 2, count_include_pad=False)
    return F.grid_sample(smooth, places[None], padding_mode="border", align_corners=False)[0].clamp(0, 1)


if __name__ == "__main__":
    main()
