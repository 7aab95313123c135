"""A folder of finished videos -> the figures of each and of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import SadTalkerError
from ..face.landmarks import FaceLandmarker
from ..metrics.face_clip import face_clip, source_face, track_film
from ..metrics.figure_table import Evaluation
from ..metrics.metric_list import all_figures
from ..metrics.video_metrics import Measurement, MetricSet, VideoClip
from ..pictures.video import read_picture
from ..progress import Progress, no_progress
from .video_clips import PICTURE_SUFFIXES, VIDEO_SUFFIXES, matching_file, read_film, videos_in


@dataclass(frozen=True, slots=True)
class VideoFolders:
    """Where the videos of one method are, and what belongs to them by name."""

    videos: Path
    ground_truths: Path | None = None
    """the real videos of the same inputs"""
    sources: Path | None = None
    """the portraits; without them the first frame of the ground truth counts as one (paper, section 4.1)"""
    cropped: bool = False
    """the videos, and the ground truths, are face crops already"""


def evaluate_folder(
    folders: VideoFolders, landmarker: FaceLandmarker, metrics: MetricSet, *, on_progress: Progress = no_progress
) -> Evaluation:
    """Measure every video; one at a time is in memory. A video that cannot be measured says why in all its figures.

    Raises:
        SadTalkerError: there are no videos, or two of one name.
    """
    paths = videos_in(folders.videos)
    found: list[Measurement] = []
    for number, path in enumerate(paths, 1):
        found.append(_measured(path, folders, landmarker, metrics))
        on_progress(number, len(paths))
    return Evaluation(tuple(found), metrics.of_set())


def read_clip(path: Path, folders: VideoFolders, landmarker: FaceLandmarker) -> VideoClip:
    """One video as metrics see it, with its ground truth and its portrait where they are found by its name.

    Raises:
        SadTalkerError: it cannot be read, or shows no face.
    """
    tracked = track_film(read_film(path), landmarker)
    real = matching_file(folders.ground_truths, path.stem, VIDEO_SUFFIXES) if folders.ground_truths else None
    portrait = matching_file(folders.sources, path.stem, PICTURE_SUFFIXES) if folders.sources else None
    return face_clip(
        tracked,
        ground_truth=track_film(read_film(real), landmarker) if real else None,
        source=source_face(read_picture(portrait), landmarker) if portrait else None,
        cropped=folders.cropped,
    )


def _measured(path: Path, folders: VideoFolders, landmarker: FaceLandmarker, metrics: MetricSet) -> Measurement:
    try:
        return metrics.measure(read_clip(path, folders, landmarker))
    except SadTalkerError as error:
        return Measurement(path.stem, missing={figure.key: f"a readable face ({error})" for figure in all_figures()})
