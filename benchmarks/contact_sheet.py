"""``python -m benchmarks.contact_sheet VIDEO OUT``: frames of a video, evenly spaced in time, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

import av
from PIL import Image

QUALITY = 88
"""of the JPEG; higher only makes the file larger"""


def main() -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_sheet", description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path, help="picture to write, .jpg or .png")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--width", type=int, default=200, help="of each frame, pixels")
    given = parser.parse_args()
    sheet = contact_sheet(read_frames(given.video, given.frames), given.columns, given.width)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(given.out, quality=QUALITY)
    print(f"{given.out}: {sheet.width}x{sheet.height}")


def read_frames(video: Path, count: int) -> list[Image.Image]:
    """``count`` frames from the middles of equal parts of the video; fewer if it has fewer."""
    with av.open(str(video)) as container:
        total = sum(1 for _ in container.decode(video=0))
    count = min(count, total)
    wanted = {(2 * part + 1) * total // (2 * count) for part in range(count)}
    with av.open(str(video)) as container:
        return [frame.to_image() for number, frame in enumerate(container.decode(video=0)) if number in wanted]


def contact_sheet(frames: list[Image.Image], columns: int, width: int) -> Image.Image:
    """One picture with the frames in reading order, each ``width`` pixels wide."""
    columns = min(columns, len(frames))
    height = round(width * frames[0].height / frames[0].width)
    rows = -(-len(frames) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    for number, frame in enumerate(frames):
        tile = frame.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(tile, (number % columns * width, number // columns * height))
    return sheet


if __name__ == "__main__":
    main()
