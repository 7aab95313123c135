"""A person who does not speak: the head sways, and the eyes blink and stay on the viewer.

PoseVAE and ExpNet get silence as their input."""

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
"""Speed of a head at rest, relative to the head of a speaking person; PoseVAE was trained only on speaking people."""
REST_SPREAD = 2.5
"""Largest spread of a head at rest (root mean square over time of all three angles together), in degrees."""
LOOP_SECONDS = 2.0
"""Duration of the transition from the end of a loop to its start."""
FIXATION_SECONDS = 1.6
"""Mean time between two small jumps of the eyes."""
JUMP_DEGREES = 2.5
"""Mean size of a jump of the eyes away from the viewer."""
GAZE_X_DEGREES, GAZE_Y_DEGREES = 27.0, 15.0
"""Angles by which the controls gaze_x and gaze_y turn an eyeball of 24 mm at the value 1."""
_SILENCE = -4.0


@dataclass(frozen=True, slots=True)
class IdleOptions:
    """The choices of a user."""

    seconds: float = 8.0
    fps: float = float(MODEL_FPS)
    style: int = 0
    """number of a head-motion style of the PoseVAE"""
    seed: int = 0
    pose_scale: float = 1.0
    """strength of the head motion; 1 is a person at rest"""
    blink_rate: float = BLINKS_PER_MINUTE
    """blinks per minute"""
    gaze: float = 1.0
    """strength of the eye motion; it has no effect in a pack without vertices"""
    loop: bool = True
    """whether the end joins the start without a jump"""


def idle_track(
    pack: Pack, face: SourceFace, options: IdleOptions, *, on_progress: Progress = no_progress
) -> Coefficients:
    """A track that animates the portrait without speech; its first frame has the portrait's own head pose.

    The head moves as PoseVAE draws it for silence, at a third of the speed, and with the spread of a person at rest as
    the limit. The face is the portrait's own, plus what ExpNet adds for blinks in silence. The eyes stay on the viewer
    while the head turns, except for small jumps.

    Raises:
        SadTalkerError: an option is out of its range.
    """
    if not 0 < options.seconds <= LONGEST_IDLE_SECONDS:
        raise SadTalkerError(
            f"Expected a duration above 0 and up to {LONGEST_IDLE_SECONDS:g} seconds, got {options.seconds}."
        )
    frames = max(1, round(options.seconds * options.fps))
    motion = options.pose_scale * _sway(pack, face.pose, frames, options, on_progress)
    expression = face.expression + _blinks(pack, face.expression, frames, options)
    if options.gaze and pack.vertices is not None:
        expression = expression + _eyes(pack.vertices, face, motion, options)
    return Coefficients(pack.basis, options.fps, expression=expression, pose=face.pose + motion)


def looped(stream: Tensor, frames: int) -> Tensor:
    """Make a loop of the first ``frames`` rows of a longer stream (T, C), without a jump from its end to its start.

    The rows after ``frames`` are blended into the start.
    """
    overlap = stream.shape[0] - frames
    if not 0 <= overlap <= frames:
        raise SadTalkerError(f"A loop of {frames} frames needs {frames} to {2 * frames} frames, got {stream.shape[0]}.")
    weight = torch.arange(overlap, device=stream.device).add(0.5).div(max(overlap, 1))
    weight = (0.5 - 0.5 * torch.cos(pi * weight))[:, None].to(stream)
    return torch.cat((torch.lerp(stream[frames:], stream[:overlap], weight), stream[overlap:frames]))


def gaze_jumps(frames: int, fps: float, generator: torch.Generator) -> Tensor:
    """Directions (frames, 2) of the eyes relative to the viewer, in degrees to the picture's right and up.

    The eyes hold a direction, then jump. Times and sizes are drawn from exponential distributions; every second jump
    returns to the viewer, where the first and the last frame also look.
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
    """Head motion (frames, 6) relative to the portrait's pose ``own`` (6,); it starts at zero."""
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
    """Change (frames, 64) of the portrait's own expression (64,) by blinks."""
    generator = torch.Generator().manual_seed(options.seed)
    blink = random_blink(frames, options.fps, generator, rate=options.blink_rate)
    blinking = pack.express(_silence(frames, options.fps, own), own, blink)
    resting = pack.express(_silence(1, options.fps, own), own, None)
    added = stream_of(blinking, "expression") - stream_of(resting, "expression")
    return added * (blink.closure > 0).to(own)[:, None]


def _eyes(model: MorphableModel, face: SourceFace, motion: Tensor, options: IdleOptions) -> Tensor:
    """Change of expression (T, 64) for eyes that hold their direction while the head turns, and sometimes jump."""
    jumps = gaze_jumps(len(motion), options.fps, torch.Generator().manual_seed(options.seed)).to(motion)
    pitch, yaw = motion[:, 0].rad2deg(), motion[:, 1].rad2deg()
    curves = {
        "gaze_x": ((jumps[:, 0] - yaw) / GAZE_X_DEGREES).clamp(-1, 1) * options.gaze,
        "gaze_y": ((jumps[:, 1] + pitch) / GAZE_Y_DEGREES).clamp(-1, 1) * options.gaze,
    }
    return expression_offset(curves, action_directions(model, own_vertices(face)))


def _silence(frames: int, fps: float, like: Tensor) -> MelWindows:
    return MelWindows(like.new_full((1, 1, 80, 16), _SILENCE).expand(frames, -1, -1, -1), fps)
