"""VIDEO or IMAGE -> pictures, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import av
import torch
from comfy_api.latest import Input, InputImpl
from torch import Tensor

from ..sadtalker_core.errors import SadTalkerError
from ..sadtalker_core.pictures.video import read_pictures
from .convert import frames_from_image

SHORTEST_CUT = 0.001
"""A VIDEO that is shorter than its file by more than so many seconds was cut."""


@dataclass(frozen=True)
class Frames:
    """The pictures (3, H, W) in [0, 1] of a video, read again at each iteration and not kept in memory."""

    read: Callable[[], Iterator[Tensor]]
    count: int
    """number of pictures, or 0 if the file does not contain it"""
    fps: float
    pixels: int
    """number of pixels of one picture"""

    def __iter__(self) -> Iterator[Tensor]:
        return self.read()

    def __len__(self) -> int:
        return self.count

    def on(self, device: torch.device) -> Frames:
        """The same pictures, each moved to a device when it is read."""
        return replace(self, read=lambda: (frame.to(device) for frame in self))


def frames_of_video(video: Input.Video) -> Frames:
    """The pictures of a VIDEO.

    A file is decoded while it is read. A video that another node made or cut is in memory, or the host loads it.

    Raises:
        SadTalkerError: the video has no pictures or no frame rate.
    """
    if isinstance(video, InputImpl.VideoFromFile):
        stream = _file_frames(video)
        if stream is not None:
            return stream
    components = video.get_components()
    return frames_of_image(components.images, float(components.frame_rate))


def frames_of_image(images: Tensor, fps: float) -> Frames:
    """The pictures of an IMAGE (T, H, W, 3)."""
    frames = frames_from_image(images)
    return Frames(lambda: iter(frames.float()), len(frames), fps, images.shape[1] * images.shape[2])


def frames_of_either(video: Input.Video | None, images: Tensor | None, fps: float) -> Frames:
    """The pictures of the input that is connected; ``fps`` is the frame rate of the images.

    Raises:
        SadTalkerError: neither or both are connected.
    """
    if video is not None and images is None:
        return frames_of_video(video)
    if images is not None and video is None:
        return frames_of_image(images, fps)
    raise SadTalkerError("Connect either a video or images" + ("." if video is None else ", not both."))


def _file_frames(video: InputImpl.VideoFromFile) -> Frames | None:
    """The pictures of a whole file; None for a part of a file, which only the host can cut out."""
    with av.open(video.get_stream_source(), mode="r") as container:
        if not container.streams.video:
            raise SadTalkerError("The file has only sound and no pictures. Choose a video.")
        stream = container.streams.video[0]
        length = None if container.duration is None else container.duration / av.time_base
        rate = stream.average_rate
        if not rate:
            raise SadTalkerError("The video file does not contain its frame rate. Convert it to mp4 first.")
        if length is not None and video.get_duration() < length - SHORTEST_CUT:
            return None
        count = stream.frames or round((length or 0) * rate)
        pixels = stream.width * stream.height
    return Frames(lambda: read_pictures(video.get_stream_source()), count, float(rate), pixels)
