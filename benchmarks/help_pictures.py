"""``python -m benchmarks.help_pictures [NAME ...]``: pictures of the help pages that show what a setting does.

Each is rendered by the open pack from the demo portrait, NASA's portrait of E. Collins (``skimage.data.astronaut``) and
the demo speech, and written to ``web/docs``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage.data import astronaut
from torch import Tensor

from sadtalker_core.audio.waveform import mono_waveform
from sadtalker_core.audio.windows import mel_windows
from sadtalker_core.controls.directions import action_directions
from sadtalker_core.controls.sliders import apply_controls
from sadtalker_core.dub_video import dub
from sadtalker_core.face.extract import extract_face
from sadtalker_core.face.framing import FRAMINGS, OWN_SIZE
from sadtalker_core.face.morphable import own_vertices
from sadtalker_core.face.motion import FaceMotion, face_motion
from sadtalker_core.face.regions import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from sadtalker_core.finish.sharpen.detail import transfer_detail
from sadtalker_core.finish.sharpen.restore import enlarged
from sadtalker_core.flow import MODEL_FPS, Coefficients, MelWindows, SourceFace
from sadtalker_core.pack import Pack
from sadtalker_core.packs.open.load import load_open_pack
from sadtalker_core.pictures.video import read_picture
from sadtalker_core.pipeline import TalkingHeadOptions, predict_coefficients
from sadtalker_core.render.frames import render_frames
from sadtalker_core.tracks.driving import add_driving, hold_portrait, match_blink
from sadtalker_core.tracks.edit import TrackEdit, edit_track
from sadtalker_core.tracks.mix import blend
from sadtalker_core.tracks.scale import combine

from .common import ROOT
from .end_to_end_case import DEMO, demo_speech

PAGES = ROOT / "web" / "docs"
SECONDS = 4
MOMENTS = (12, 30, 43, 58, 71, 88)
"""Frames of the demo speech: mouths open, closed and round."""
BLINKING_SEED = 4
"""A seed whose blinks fall into the demo speech."""
WIDTH = 232
"""of each tile, pixels"""
TITLE = 22
QUALITY = 74


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    frame: Tensor
    """(3, h, w) in [0, 1]"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The material that all pictures are made from."""

    pack: Pack
    demo: SourceFace
    other: SourceFace
    mel: MelWindows

    def track(self, face: SourceFace, **options: object) -> Coefficients:
        """How a face says the demo speech."""
        return predict_coefficients(self.pack, face, self.mel, replace(TalkingHeadOptions(), **options))

    def frames(self, face: SourceFace, track: Coefficients, moments: tuple[int, ...] = MOMENTS) -> Tensor:
        """(len(moments), 3, h, w)"""
        keypoints = self.pack.mapping.keypoints(face, track)
        return render_frames(self.pack.renderer, face, replace(keypoints, driving=keypoints.driving[list(moments)]))

    def video(self) -> tuple[Tensor, FaceMotion]:
        """The demo portrait, speaking, as if it were a person's video, and the motion measured in it."""
        track = self.track(self.demo, style=3, pose_scale=1.5)
        frames = self.frames(self.demo, track, tuple(range(len(self.mel))))
        return frames, face_motion(self.pack.landmarker, self.pack.extractor, list(frames), MODEL_FPS)


def main() -> None:
    """Parse the command line and write the pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.help_pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}; all by default")
    names = parser.parse_args().names or PICTURES
    with torch.inference_mode():
        made = scene()
        for name in names:
            sheet = in_rows(PICTURES[name](made))
            path = PAGES / f"SadTalker{name}.jpg"
            sheet.save(path, quality=QUALITY)
            print(f"{path.name}: {sheet.width}x{sheet.height}, {path.stat().st_size // 1024} KiB")


def scene() -> Scene:
    """Load pack, portraits and speech."""
    pack = load_open_pack()
    other = torch.from_numpy(astronaut()).permute(2, 0, 1).float() / 255
    faces = [
        extract_face(pack.landmarker, pack.extractor, picture, size=384)
        for picture in (read_picture(DEMO / "portrait.jpg"), other)
    ]
    return Scene(pack, *faces, mel_windows(mono_waveform(*demo_speech(SECONDS)), MODEL_FPS))


def framings(scene: Scene) -> list[list[Tile]]:
    """Every framing of one portrait, at one moment."""
    tiles = []
    for framing in FRAMINGS:
        face = extract_face(scene.pack.landmarker, scene.pack.extractor, scene.other.picture, framing=framing, size=384)
        tiles.append(Tile(framing, scene.frames(face, scene.track(face), MOMENTS[2:3])[0]))
    return [tiles]


def edits(scene: Scene) -> list[list[Tile]]:
    """Strength of the face's and of the head's motion, and a turned head."""
    cases = [
        {"expression_scale": 0.5},
        {},
        {"expression_scale": 1.5},
        {"pose_scale": 2.0},
        {"yaw": 12.0},
        {"roll": 8.0},
    ]
    track, tiles = scene.track(scene.demo), []
    for case in cases:
        edited = edit_track(track, TrackEdit(**case), scene.demo.coefficients)
        title = ", ".join(f"{name} {value:g}" for name, value in case.items()) or "as it is"
        tiles.append(Tile(title, scene.frames(scene.demo, edited, MOMENTS[2:3])[0]))
    return [tiles]


def mixtures(scene: Scene) -> list[list[Tile]]:
    """Speech, a smile with raised brows, and parts of the second in the first."""
    model = scene.pack.vertices
    assert model is not None  # the open pack has them
    first = scene.track(scene.demo)
    directions = action_directions(model, own_vertices(scene.demo))
    curves = {"smile": torch.full((len(first),), 1.0), "brows_up": torch.full((len(first),), 1.0)}
    still = edit_track(first, TrackEdit(expression_scale=0.0, pose_scale=0.0), scene.demo.coefficients)
    second = apply_controls(still, curves, directions)
    tracks = {"first": first, "second": second}
    for part in ("mouth", "brows", "expression"):
        tracks[f"{part} of the second"] = blend(first, second, 1.0, part, model)
    tracks["half and half"] = blend(first, second, 0.5, "everything", model)
    return [[Tile(name, scene.frames(scene.demo, t, MOMENTS[2:3])[0]) for name, t in tracks.items()]]


def video_motion(scene: Scene) -> list[list[Tile]]:
    """A video, and another portrait that does what is done there."""
    frames, motion = scene.video()
    track = add_driving(hold_portrait(scene.other.coefficients, motion.coefficients), motion.coefficients, "everything")
    drawn = scene.frames(scene.other, track)
    return [[Tile("", frames[moment]) for moment in MOMENTS], [Tile("", frame) for frame in drawn]]


def video_blinks(scene: Scene) -> list[list[Tile]]:
    """A blink of a video, and the eyes of another portrait that blinks with it; no other eye movement."""
    track = scene.track(scene.other, seed=BLINKING_SEED)
    frames = scene.frames(scene.other, track, tuple(range(len(scene.mel))))
    motion = face_motion(scene.pack.landmarker, scene.pack.extractor, list(frames), MODEL_FPS)
    blink = match_blink(motion.blink, len(scene.mel), scene.mel.fps)
    expression = scene.pack.express(scene.mel, scene.demo.expression, blink)
    shut = int(blink.closure.argmax())
    moments = tuple(min(max(shut + step, 0), len(frames) - 1) for step in (-3, -2, -1, 0, 2, 4))
    drawn = scene.frames(scene.demo, combine(expression, scene.track(scene.demo)), moments)
    return [
        [Tile("", eyes(scene.other, frames[moment])) for moment in moments],
        [Tile("", eyes(scene.demo, frame)) for frame in drawn],
    ]


def eyes(face: SourceFace, frame: Tensor) -> Tensor:
    """The part (3, h, w) of a frame around the eyes, with room for the head's motion."""
    x, y = face.landmarks[[*LEFT_EYE, *RIGHT_EYE], :2].unbind(1)
    middle, reach = float(y.mean()), float(x.max() - x.min())
    left, right = int(x.min() - 0.35 * reach), int(x.max() + 0.35 * reach)
    return frame[:, int(middle - 0.4 * reach) : int(middle + 0.4 * reach), max(left, 0) : right]


def added_motion(scene: Scene) -> list[list[Tile]]:
    """A video above a portrait with its head motion and other speech."""
    frames, motion = scene.video()
    speech = scene.track(scene.other, still=True)
    drawn = scene.frames(scene.other, add_driving(speech, motion.coefficients, "head motion"))
    return [[Tile("", frames[moment]) for moment in MOMENTS], [Tile("", frame) for frame in drawn]]


def details(scene: Scene) -> list[list[Tile]]:
    """Small frames: enlarged, with the portrait's detail, and rendered at the portrait's own size; at two moments."""
    pack, moments = scene.pack, MOMENTS[2:4]
    small, own = (
        extract_face(pack.landmarker, pack.extractor, scene.demo.picture, framing="extcrop", size=size)
        for size in (256, OWN_SIZE)
    )
    keypoints = pack.mapping.keypoints(small, scene.track(small))
    keypoints = replace(keypoints, driving=keypoints.driving[list(moments)])
    frames = render_frames(pack.renderer, small, keypoints)
    detailed = transfer_detail(pack.renderer, small, keypoints, frames)
    shown = {
        "256 pixels, enlarged": enlarged(frames, *detailed.shape[2:], None),
        "with Detail Transfer": detailed,
        f"rendered at {own.crop.width} pixels": scene.frames(own, scene.track(own), moments),
    }
    return [[Tile(title, lower_face(own, each[n])) for n in range(len(moments)) for title, each in shown.items()]]


def larger(scene: Scene) -> list[list[Tile]]:
    """What Enhance does without a restorer, which cannot be shipped: a frame, and the same enlarged twice."""
    face = extract_face(scene.pack.landmarker, scene.pack.extractor, scene.other.picture, size=256)
    frame = scene.frames(face, scene.track(face), MOMENTS[2:3])
    twice = enlarged(frame, 2 * frame.shape[2], 2 * frame.shape[3], None)
    titles = "256 pixels", "scale 2, no restorer"
    return [[Tile(title, lower_face(face, each[0])) for title, each in zip(titles, (frame, twice), strict=True)]]


def lower_face(face: SourceFace, frame: Tensor) -> Tensor:
    """The square (3, s, s) of a frame, at any size, around nose and mouth."""
    scale = frame.shape[2] / face.crop.width
    left, right = face.landmarks[[*FACE_OVAL], 0].aminmax()
    x, y = (face.landmarks[list(OUTER_LIPS), :2].mean(0) * scale).tolist()
    half = 0.42 * float(right - left) * scale
    return frame[:, int(y - 1.3 * half) : int(y + 0.7 * half), int(x - half) : int(x + half)]


def talking(scene: Scene) -> list[list[Tile]]:
    """Both portraits saying the same."""
    return [
        [Tile("", frame) for frame in scene.frames(face, scene.track(face, style=style))]
        for face, style in ((scene.demo, 0), (scene.other, 5))
    ]


def dubbing(scene: Scene) -> list[list[Tile]]:
    """The demo's reference video, and the same moments with the middle of the demo speech."""
    filmed = [frame.to_ndarray(format="rgb24") for frame in read_video(DEMO / "reference.mp4")]
    frames = [torch.from_numpy(pixels).permute(2, 0, 1).float() / 255 for pixels in filmed]
    samples, rate = demo_speech(8)
    speech = mono_waveform(samples[:, 4 * rate :], rate)
    dubbed = list(dub(scene.pack, frames, 30.0, speech))
    return [[Tile("", each[moment]) for moment in MOMENTS] for each in (frames, dubbed)]


def read_video(path: Path) -> Iterator[av.VideoFrame]:
    """The frames of a video file."""
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


PICTURES: dict[str, Callable[[Scene], list[list[Tile]]]] = {
    "Extract3DMM": framings,
    "EditCoefficients": edits,
    "MixCoefficients": mixtures,
    "Extract3DMMFromVideo": video_motion,
    "ReferenceBlink": video_blinks,
    "ReferenceMotion": added_motion,
    "TalkingHead": talking,
    "DetailTransfer": details,
    "Enhance": larger,
    "DubVideo": dubbing,
}
"""By page: its rows of tiles."""


def in_rows(rows: list[list[Tile]]) -> Image.Image:
    """The tiles of each row side by side, with their titles above."""
    font = ImageFont.load_default(14)
    drawn = [[_drawn(tile, font) for tile in row] for row in rows]
    size = WIDTH * max(map(len, drawn)), sum(max(tile.height for tile in row) for row in drawn)
    sheet, top = Image.new("RGB", size, "white"), 0
    for row in drawn:
        for column, tile in enumerate(row):
            sheet.paste(tile, (column * WIDTH, top))
        top += max(tile.height for tile in row)
    return sheet


def _drawn(tile: Tile, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Image.Image:
    levels = (tile.frame * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(levels)
    height = round(WIDTH * picture.height / picture.width)
    above = TITLE if tile.title else 0
    drawn = Image.new("RGB", (WIDTH, height + above), "white")
    drawn.paste(picture.resize((WIDTH, height), Image.Resampling.LANCZOS), (0, above))
    ImageDraw.Draw(drawn).text((4, 2), tile.title, "black", font)
    return drawn


if __name__ == "__main__":
    main()
