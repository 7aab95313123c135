"""Train PoseVAE in the open basis: a style, the own pose and speech -> 32 frames of head motion.

Paper, section 3.3: reconstruction, Kullback-Leibler and adversarial terms on the residual pose. Motion here is the
distance from the clip's resting pose, so that blocks sampled one after the other come from one distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from scipy.signal import savgol_filter
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..expnet.model import ExpNet
from ..flow import POSE_SIZE
from ..packs.open.load import POSE_SAMPLING
from ..posevae.model import LATENT_SIZE, SEQUENCE, PoseEncoder, PoseVAE, PoseVAEConfig
from ..posevae.predict import block_starts, decode_motion, within
from ..posevae.smoothing import smooth_pose
from .checkpoint import restore_checkpoint, save_checkpoint
from .losses import running_means
from .precision import half_precision
from .speech_data import FittedClip

CHECKPOINT_STEPS = 200
MAX_STEP = (0.08, 0.08, 0.08, 0.06, 0.06, 0.15)
"""Windows with a larger step from frame to frame are dropped: a cut, a moving camera, or a lost face."""
POSE_AXES = ("pitch", "yaw", "roll", "x", "y", "z")
STILL = 1e-4
"""Least spread of a number in a style, radians or lengths: what does not move shall not be measured by its noise."""
SMOOTHING_WINDOW = 7
"""Frames of the Savitzky-Golay filter, order 2: takes the landmarker's jitter and leaves nods."""
SPREAD_BLOCKS = 8
"""Blocks of 32 frames in the tracks, 10 seconds, whose spread is matched to that of the clips."""
TAKES = 16
"""Tracks of each style for its spread."""
SPREAD_ROUNDS = 3
"""Blending and limits answer a gain by less than it, so that it takes several."""


@dataclass(frozen=True, slots=True)
class PoseVAETraining:
    """Every number of the run; travels in the file it makes."""

    steps: int = 4400
    batch_size: int = 32
    learning_rate: float = 1e-3
    kl_weight: float = 3e-3
    velocity_weight: float = 4.0
    spread_batches: int = 200
    """batches that ``spread_latents`` looks at"""
    min_windows: int = 24
    """a clip with fewer usable windows makes no style of its own"""
    liveliness: float = 1.7
    """factor for the silent clips' motion. People who move for a camera without speaking move less than those who talk:
    the angles of a clip spread by 2.2 degrees in the mean, those of clips/test by 4.2, and what the limits take of the
    liveliest is lost"""
    audio_candidates: int = 12
    """speech windows tried for each window of silent motion; the one whose loudness moves most like the head is used"""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class MotionWindow:
    """32 frames of head motion of one style."""

    style: int
    motion: Tensor
    """(32, 6) distance from the resting pose"""
    rest: Tensor
    """(6,)"""
    mel: Tensor | None
    """(32, 1, 80, 16), or None for silent clips"""


@dataclass(frozen=True, slots=True)
class Voices:
    """The speech of all voiced windows, in their order."""

    features: Tensor
    """(V, 32, 512) from the audio encoder"""
    loudness: Tensor
    """(V, 32) smoothed, centred, of unit length"""


@dataclass(frozen=True, slots=True)
class PoseBatch:
    motion: Tensor
    """(B, 32, 6) distance from the resting pose"""
    unit: Tensor
    """(B, 1, 6) spread of the motion in each row's style, see ``style_units``"""
    rest: Tensor
    """(B, 6)"""
    style: Tensor
    """(B,)"""
    audio: Tensor
    """(B, 32, 512) from the audio encoder"""


def motion_windows(
    clips: list[FittedClip], min_windows: int, liveliness: float
) -> tuple[list[MotionWindow], list[str]]:
    """Cut clips into windows; returns them and the name of each style (a talker of the corpus, or a motion clip).

    Args:
        liveliness: factor of the silent clips' motion.
    """
    step_limit = torch.tensor(MAX_STEP)
    by_style: dict[str, list[MotionWindow]] = {}
    styles: list[str] = []
    for clip in clips:
        name = style_of(clip)
        if clip.pose.shape[0] < SEQUENCE:
            continue
        pose, rest = _pose_and_rest(clip)
        motion = head_motion(clip, liveliness)
        stride = 2 if clip.corpus == "motion" else 8
        for start in range(0, pose.shape[0] - SEQUENCE + 1, stride):
            part = slice(start, start + SEQUENCE)
            if clip.valid[part].all() and (pose[part].diff(dim=0).abs() < step_limit).all():
                mel = clip.windows[part] if clip.windows is not None else None
                by_style.setdefault(name, []).append(MotionWindow(0, motion[part], rest, mel))
    windows: list[MotionWindow] = []
    for name, found in sorted(by_style.items()):
        if len(found) >= min_windows:
            windows += [MotionWindow(len(styles), w.motion, w.rest, w.mel) for w in found]
            styles.append(name)
    return windows, styles


def head_motion(clip: FittedClip, liveliness: float) -> Tensor:
    """Distance (T, 6) of a clip's head from where it mostly is, within what the renderer can show.

    Args:
        liveliness: factor of it where nobody is heard.
    """
    pose, rest = _pose_and_rest(clip)
    factor = 1 if clip.windows is not None else liveliness
    return within(factor * (pose - rest), torch.tensor(POSE_SAMPLING.limit))


def style_of(clip: FittedClip) -> str:
    """Name of the style that a clip belongs to: itself, or the talker of its corpus."""
    return clip.name if clip.corpus == "motion" else clip.corpus


def speed_of(motion: Tensor) -> Tensor:
    """(32,) how fast the head moves in (32, 6), smoothed over five frames."""
    speed = (motion[1:, :3] - motion[:-1, :3]).norm(dim=1)
    speed = torch.cat((speed[:1], speed))
    return F.avg_pool1d(speed[None], 5, 1, 2, count_include_pad=False)[0]


def style_units(windows: Sequence[MotionWindow]) -> Tensor:
    """Spread (styles, 6) of the windows' motion in each style, in which it is learned.

    Radians and lengths are not comparable; nor are the calm and the lively, and were all measured alike, an error as
    large as all that a calm head does would count for nothing beside the lively ones.
    """
    by_style: dict[int, list[Tensor]] = {}
    for window in windows:
        by_style.setdefault(window.style, []).append(window.motion)
    return torch.stack([torch.cat(by_style[style]).std(0) for style in sorted(by_style)]).clamp_min(STILL)


def hear(windows: list[MotionWindow], network: PoseVAE) -> Voices:
    """Encode the speech of the voiced windows once; the encoder does not train."""
    mels = [window.mel for window in windows if window.mel is not None]
    with torch.inference_mode():
        features = [network.embed(mel.float()) for mel in tqdm(mels, desc="voices", unit="window", mininterval=5)]
    loudness = torch.stack([mel.float().mean((1, 2, 3)) for mel in mels])
    loudness = F.avg_pool1d(loudness[:, None], 5, 1, 2, count_include_pad=False)[:, 0]
    return Voices(torch.stack(features).clone(), F.normalize(_centred(loudness), dim=1))


def draw_batches(
    windows: list[MotionWindow], voices: Voices, training: PoseVAETraining, generator: torch.Generator
) -> Iterator[PoseBatch]:
    """Endless batches with every style equally often.

    The motion clips may not lend their voices, so a silent window borrows speech: of several candidates the one whose
    loudness follows the head's speed best. That keeps the one thing the network can learn here, that heads move more
    where the voice is strong.
    """
    by_style: dict[int, list[int]] = {}
    for number, window in enumerate(windows):
        by_style.setdefault(window.style, []).append(number)
    units = style_units(windows)
    voiced = [number for number, window in enumerate(windows) if window.mel is not None]
    voice_of = {number: voice for voice, number in enumerate(voiced)}
    while True:
        styles = torch.randint(len(by_style), (training.batch_size,), generator=generator)
        chosen = [_pick(by_style[int(style)], generator) for style in styles]
        heard = [
            voice_of[number] if number in voice_of else _borrowed(windows[number], voices, training, generator)
            for number in chosen
        ]
        motion = torch.stack([windows[number].motion for number in chosen])
        rest = torch.stack([windows[number].rest for number in chosen])
        # A mirrored head is as natural as the real one: yaw, roll and x change their signs.
        sign = torch.ones(len(chosen), 1, 6)
        sign[torch.rand(len(chosen), generator=generator) < 0.5] = torch.tensor((1.0, -1, -1, -1, 1, 1))
        rest = rest * sign[:, 0] + 0.1 * torch.randn(rest.shape, generator=generator)
        yield PoseBatch(motion * sign, units[styles, None], rest, styles, voices.features[heard])


def _pick(numbers: list[int], generator: torch.Generator) -> int:
    return numbers[int(torch.randint(len(numbers), (1,), generator=generator))]


def _borrowed(window: MotionWindow, voices: Voices, training: PoseVAETraining, generator: torch.Generator) -> int:
    candidates = torch.randint(voices.loudness.shape[0], (training.audio_candidates,), generator=generator)
    return int(candidates[(voices.loudness[candidates] @ _centred(speed_of(window.motion))).argmax()])


def train_posevae(
    windows: list[MotionWindow],
    spread: Tensor,
    styles: int,
    expnet: ExpNet,
    training: PoseVAETraining,
    checkpoint: Path,
) -> tuple[PoseVAE, dict[str, float]]:
    """Train decoder and encoder from scratch, or from where ``checkpoint`` stopped.

    Returns the network in inference mode and the last mean of each loss term.

    Args:
        spread: (styles, 6) variances that drawn tracks shall have, see ``motion_spread``.

    The audio encoder is ExpNet's and stays as it is: an hour of speech with head motion would not train another.
    """
    torch.manual_seed(training.seed)
    generator = torch.Generator().manual_seed(training.seed)
    network = PoseVAE(PoseVAEConfig(styles=styles)).train()
    network.audio_encoder.load_state_dict(expnet.audio_encoder.state_dict())
    network.audio_encoder.requires_grad_(False).eval()
    encoder = PoseEncoder(styles).train()
    parameters = [*network.decoder.parameters(), *encoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, training.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.learning_rate, total_steps=training.steps, pct_start=0.1
    )
    modules = {"network": network, "encoder": encoder}
    run = asdict(training) | {"windows": len(windows), "styles": styles}
    if done := restore_checkpoint(checkpoint, run, modules, optimiser, generator):
        schedule.load_state_dict({"last_epoch": done - 1, "_step_count": done})
        schedule.step()
    voices = hear(windows, network)
    batches = draw_batches(windows, voices, training, generator)
    means: dict[str, float] = {}
    bar = tqdm(
        range(done, training.steps), desc="posevae", unit="step", mininterval=5, initial=done, total=training.steps
    )
    for step in bar:
        terms = _step_terms(network, encoder, next(batches), training, generator)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        means = running_means(means, terms)
        bar.set_postfix({name.split("/")[1]: f"{value:.4f}" for name, value in means.items()}, refresh=False)
        if (step + 1) % CHECKPOINT_STEPS == 0:
            save_checkpoint(checkpoint, step + 1, run, modules, optimiser, generator)
    network.eval()
    spread_latents(network, encoder.eval(), islice(batches, training.spread_batches), generator)
    gain = match_spread(network, spread, voices, generator)
    return network, means | {f"posevae/gain {axis}": float(g) for axis, g in zip(POSE_AXES, gain, strict=True)}


@torch.no_grad()
def spread_latents(
    network: PoseVAE, encoder: PoseEncoder, batches: Iterable[PoseBatch], generator: torch.Generator
) -> None:
    """Make standard normal draws cover the codes that the encoder uses, by a change of the decoder's weights alone.

    A weak divergence term lets the codes of each style spread beyond the unit normal, and draws from it would then
    move the head less than people do (Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, section 4).

    Args:
        batches: finitely many, whose codes are looked at.
    """
    styles, codes = [], []
    for batch in batches:
        mean, log_variance = encoder(batch.motion / batch.unit, batch.style, batch.rest, batch.audio)
        codes.append(mean + torch.randn(mean.shape, generator=generator).to(mean) * (0.5 * log_variance).exp())
        styles.append(batch.style)
    style, code = torch.cat(styles), torch.cat(codes)
    used = F.one_hot(style, network.config.styles).to(code)  # (N, styles)
    centre = used.T @ code / used.sum(0)[:, None].clamp_min(1)  # (styles, 64)
    # Codes that mean something lie in few directions, so that drawing each number by itself would mostly miss them.
    factor = torch.linalg.cholesky((code - centre[style]).T.cov())  # (64, 64): factor @ normal has their covariance
    # The decoder sees latent + classbias; its input columns times the factor make that factor @ (latent + classbias).
    decoder = network.decoder
    first = decoder.MLP.get_submodule("L0").get_parameter("weight")
    columns = slice(POSE_SIZE, POSE_SIZE + LATENT_SIZE)
    first[:, columns] = first[:, columns] @ factor
    wanted = (decoder.classbias + centre).T
    decoder.classbias.copy_(torch.linalg.solve_triangular(factor, wanted, upper=False).T)


def motion_spread(clips: Sequence[FittedClip], styles: Sequence[str], liveliness: float) -> Tensor:
    """Variance (styles, 6) of head motion about its mean within a clip, mean over the clips of a style."""
    by_style: dict[str, list[Tensor]] = {style: [] for style in styles}
    for clip in clips:
        if (name := style_of(clip)) in by_style:
            by_style[name].append(head_motion(clip, liveliness)[clip.valid].var(0))
    return torch.stack([torch.stack(found).mean(0) for found in by_style.values()])


@torch.no_grad()
def match_spread(
    network: PoseVAE, real: Tensor, voices: Voices, generator: torch.Generator, takes: int = TAKES
) -> Tensor:
    """Give drawn tracks the spread of the real ones and return the factors (6,) it took.

    A network that minimises squared errors answers what it cannot know with less motion, and blending its blocks takes
    some more. The factors, the same for every style, go into the decoder's last layer; the mean motion stays.

    Args:
        real: (styles, 6) variances. Their ratios to the drawn ones are brought to a geometric mean of 1, so that the
            calm styles count as much as the lively, which the limits hold.
    """
    total, last = torch.ones(POSE_SIZE), network.decoder.pose_linear
    for _ in range(SPREAD_ROUNDS):
        tracks = drawn_tracks(network, voices, generator, takes)
        gain = (0.5 * (real / tracks.var(2).mean(1)).log().mean(0)).exp()
        mean = tracks.mean((0, 1, 2))
        last.weight.mul_(gain[:, None])
        last.bias.copy_(gain * last.bias + (1 - gain) * mean)
        total *= gain
    return total


@torch.no_grad()
def drawn_tracks(network: PoseVAE, voices: Voices, generator: torch.Generator, takes: int = TAKES) -> Tensor:
    """(styles, takes, 32 SPREAD_BLOCKS, 6) motion as the application draws it, for random voices."""
    return torch.stack(
        [
            torch.stack([_drawn_track(network, style, voices, generator) for _ in range(takes)])
            for style in range(network.config.styles)
        ]
    )


def _drawn_track(network: PoseVAE, style: int, voices: Voices, generator: torch.Generator) -> Tensor:
    heard = torch.randint(voices.features.shape[0], (SPREAD_BLOCKS,), generator=generator)
    audio = voices.features[heard].flatten(0, 1)
    latents = torch.randn(len(block_starts(len(audio))), LATENT_SIZE, generator=generator)
    motion = decode_motion(network, audio, torch.zeros(POSE_SIZE), style, latents, blend=POSE_SAMPLING.blend)
    return smooth_pose(within(motion, torch.tensor(POSE_SAMPLING.limit)), POSE_SAMPLING.smoothing)


def _step_terms(
    network: PoseVAE,
    encoder: PoseEncoder,
    batch: PoseBatch,
    training: PoseVAETraining,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    with half_precision(batch.motion.device):
        mean, log_variance = encoder(batch.motion / batch.unit, batch.style, batch.rest, batch.audio)
    mean, log_variance = mean.float(), log_variance.float()
    noise = torch.randn(mean.shape, generator=generator)
    latent = mean + noise * (0.5 * log_variance).exp()
    with half_precision(batch.motion.device):
        motion = network.decode(latent, batch.style, batch.rest, batch.audio).float()
    error = (motion - batch.motion) / batch.unit
    velocity_error = error.diff(dim=1)
    divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
    return {
        "posevae/reconstruction": error.square().mean(),
        "posevae/velocity": training.velocity_weight * velocity_error.square().mean(),
        "posevae/divergence": training.kl_weight * divergence,
    }


def _pose_and_rest(clip: FittedClip) -> tuple[Tensor, Tensor]:
    """Track (T, 6) without the landmarker's jitter, as the paper's poses are smoothed, and where it mostly is (6,)."""
    pose = torch.from_numpy(savgol_filter(clip.pose.numpy(), SMOOTHING_WINDOW, 2, axis=0))
    return pose, pose[clip.valid].median(0).values


def _centred(curve: Tensor) -> Tensor:
    return curve - curve.mean(-1, keepdim=True)
