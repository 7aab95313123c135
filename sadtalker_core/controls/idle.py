"""A person who does not speak: PoseVAE and ExpNet hear silence; the head sways, eyes blink and keep to the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log1p, pi

import torch
from torch import Tensor

from ..errors import SadTalkerError
from ..expnet.blink import BLINKS_PER_MINUTE, random_blink
from ..face.morphable import MorphableModel, own_vertices
from ..flow import MODEL_FPS, Coefficients, MelWindows, SourceFace
from ..pack import Pack
from ..progress import Progress, no_progress
from ..time_series import at_times
from ..tracks.matching import stream_of
from .directions import action_directions
from .sliders import expression_offset

LONGEST_IDLE_SECONDS = 3600.0
REST_SPEED = 1 / 3
"""Of a head at rest, in that of one that speaks, which is all that PoseVAE has seen."""
REST_SPREAD = 2.5
"""Largest spread (root mean square over time, all three angles together) of the head at rest, degrees."""
LOOP_SECONDS = 2.0
"""Over which the end of a loop passes into its start."""
FIXATION_SECONDS = 1.6
"""Mean time between two small jumps of the eyes."""
JUMP_DEGREES = 2.5
"""Mean size of such a jump away from the viewer."""
GAZE_X_DEGREES, GAZE_Y_DEGREES = 27.0, 15.0
"""What the controls gaze_x and gaze_y turn an eyeball of 24 mm at 1."""
_SILENCE = -4.0


@dataclass(frozen=True, slots=True)
class IdleOptions:
    """What a user may choose."""

    seconds: float = 8.0
    fps: float = float(MODEL_FPS)
    style: int = 0
    """of the PoseVAE"""
    seed: int = 0
    pose_scale: float = 1.0
    """1 is a person at rest"""
    blink_rate: float = BLINKS_PER_MINUTE
    """blinks a minute"""
    gaze: float = 1.0
    """strength of the eyes' own motion; packs whose coefficients cannot move them have none"""
    loop: bool = True
    """whether the end passes into the start"""


def idle_track(
    pack: Pack, face: SourceFace, options: IdleOptions, *, on_progress: Progress = no_progress
) -> Coefficients:
    """A track of the portrait alive without speech; its first frame has the portrait's own head pose.

    The head moves as PoseVAE draws for silence, at a third of the speed and no wider than a person at rest. The face is
    the portrait's own, plus what ExpNet adds to it for blinks in silence. Between small jumps the eyes stay on the
    viewer while the head turns under them.

    Raises:
        SadTalkerError: an option is out of its range.
    """
    if not 0 < options.seconds <= LONGEST_IDLE_SECONDS:
        raise SadTalkerError(
            f"Expected a length above 0 and up to {LONGEST_IDLE_SECONDS:g} seconds, got {options.seconds}."
        )
    frames = max(1, round(options.seconds * options.fps))
    motion = options.pose_scale * _sway(pack, face.pose, frames, options, on_progress)
    expression = face.expression + _blinks(pack, face.expression, frames, options)
    if options.gaze and pack.vertices is not None:
        expression = expression + _eyes(pack.vertices, face, motion, options)
    return Coefficients(pack.basis, options.fps, expression=expression, pose=face.pose + motion)


def looped(stream: Tensor, frames: int) -> Tensor:
    """The first ``frames`` rows of a longer stream (T, C), so that the last passes into the first without a jump.

    What the stream has beyond them passes into its start.
    """
    overlap = stream.shape[0] - frames
    if not 0 <= overlap <= frames:
        raise SadTalkerError(f"A loop of {frames} frames needs as many to {2 * frames}, got {stream.shape[0]}.")
    share = torch.arange(overlap, device=stream.device).add(0.5).div(max(overlap, 1))
    share = (0.5 - 0.5 * torch.cos(pi * share))[:, None].to(stream)
    return torch.cat((torch.lerp(stream[frames:], stream[:overlap], share), stream[overlap:frames]))


def gaze_jumps(frames: int, fps: float, generator: torch.Generator) -> Tensor:
    """Directions (frames, 2) of the eyes, degrees to the picture's right and up, held between jumps around the viewer.

    Times and sizes are exponential draws; every other jump returns. The first and the last direction are the viewer.
    """
    gaze = torch.zeros(frames, 2)
    start, away = 0.0, False
    while True:
        wait, size, angle = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        start -= FIXATION_SECONDS * log1p(-wait) / (2 if away else 1)
        first = ceil(start * fps)
        if first >= frames:
            gaze[-1:] = 0
            return gaze
        away = not away
        length = -JUMP_DEGREES * log1p(-size) if away else 0.0
        # People look to the sides more than up and down.
        way = torch.tensor((2 * pi * angle,)).expand(2) - torch.tensor((0.0, pi / 2))
        gaze[first:] = length * way.cos() * torch.tensor((1.0, 0.5))


def _sway(pack: Pack, own: Tensor, frames: int, options: IdleOptions, on_progress: Progress) -> Tensor:
    """Motion (frames, 6) of the head away from the portrait's pose ``own`` (6,), which it starts from."""
    overlap = min(round(LOOP_SECONDS * options.fps), frames // 2) if options.loop else 0
    count = ceil((frames + overlap) * REST_SPEED) + 1
    generator = torch.Generator().manual_seed(options.seed)
    silence = _silence(count, options.fps, own)
    drawn = pack.move_head(silence, own, options.style, generator, on_progress=on_progress)
    motion = at_times(stream_of(drawn, "pose") - own, torch.arange(frames + overlap) * REST_SPEED)
    motion = looped(motion, frames)
    if options.loop:
        motion = motion.roll(-int(motion[:, :3].norm(dim=1).argmin()), 0)
    motion = motion - motion[:1]
    spread = (motion[:, :3] - motion[:, :3].mean(0)).square().sum(1).mean().sqrt().rad2deg()
    return motion * (REST_SPREAD / spread.clamp_min(REST_SPREAD))


def _blinks(pack: Pack, own: Tensor, frames: int, options: IdleOptions) -> Tensor:
    """What blinks add (frames, 64) to the portrait's own expression (64,)."""
    generator = torch.Generator().manual_seed(options.seed)
    blink = random_blink(frames, options.fps, generator, rate=options.blink_rate)
    shut = pack.express(_silence(frames, options.fps, own), own, blink)
    still = pack.express(_silence(1, options.fps, own), own, None)
    added = stream_of(shut, "expression") - stream_of(still, "expression")
    return added * (blink.closure > 0).to(own)[:, None]


def _eyes(model: MorphableModel, face: SourceFace, motion: Tensor, options: IdleOptions) -> Tensor:
    """Expression (T, 64) of eyes that hold their direction while the head turns, and jump now and then."""
    jumps = gaze_jumps(len(motion), options.fps, torch.Generator().manual_seed(options.seed)).to(motion)
    pitch, yaw = motion[:, 0].rad2deg(), motion[:, 1].rad2deg()
    curves = {
        "gaze_x": ((jumps[:, 0] - yaw) / GAZE_X_DEGREES).clamp(-1, 1) * options.gaze,
        "gaze_y": ((jumps[:, 1] + pitch) / GAZE_Y_DEGREES).clamp(-1, 1) * options.gaze,
    }
    return expression_offset(curves, action_directions(model, own_vertices(face)))


def _silence(frames: int, fps: float, like: Tensor) -> MelWindows:
    return MelWindows(like.new_full((1, 1, 80, 16), _SILENCE).expand(frames, -1, -1, -1), fps)
