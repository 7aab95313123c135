"""Video or picture file -> frames, and the mark in them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ...pictures.video import read_pictures
from .detector import Detection, detect


def detect_in_file(path: Path, frames: int | None = None) -> Detection:
    """Look for a mark in a video or picture file, in all of it or its first ``frames``; see ``detector.detect``."""
    return detect(islice(read_pictures(path), frames))
