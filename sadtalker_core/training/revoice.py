"""Development only: the same words at the same times in another voice, through the WORLD vocoder (PyPI ``pyworld``).

WORLD splits speech into pitch, spectral envelope and aperiodicity; each is changed and the voice put together again.
Mouth shapes stay true, because timing and phonemes do. It is what makes ExpNet general: one speaker sounds like many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ..audio.mel import log_mel
from ..errors import SadTalkerError
from ..files.write import write_whole
from ..flow import SAMPLE_RATE, Waveform

LOG = logging.getLogger(__name__)
FRAME_MILLISECONDS = 5.0
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Revoicing:
    """How far voices are changed: factors lie between the two numbers, spread evenly on a log scale."""

    copies: int = 6
    pitch: tuple[float, float] = (0.6, 2.2)
    envelope: tuple[float, float] = (0.8, 1.3)
    """factor for the frequency axis: above 1, as from a shorter throat"""
    melody: tuple[float, float] = (0.5, 1.8)
    """factor for the pitch's swings about its mean, in octaves"""
    duration: tuple[float, float] = (0.8, 1.15)
    """factor for the length of the clip; the mouth is stretched with it"""
    coupled_share: float = 0.5
    """fraction of the copies whose throat fits the pitch, as people's do"""
    whispered_share: float = 0.08
    breathy_share: float = 0.3


@dataclass(frozen=True, slots=True)
class Copy:
    """One clip in another voice."""

    mel: Tensor
    """(1 + S // 200, 80) log-mel"""
    duration: float
    """length of this copy, as a multiple of the clip's own"""


def revoiced_copies(
    voices: Iterable[tuple[str, Waveform]], folder: Path, revoicing: Revoicing, workers: int
) -> dict[str, list[Copy]]:
    """Copies of each named voice; those that ``folder`` holds already are read back.

    Raises:
        SadTalkerError: pyworld is not installed.
    """
    _world()
    jobs = [(waveform.samples, folder / f"{name}.safetensors", revoicing) for name, waveform in voices]
    missing = [job for job in jobs if not job[1].exists()]
    if missing:
        with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in tqdm(pool.map(_make_copies, missing), total=len(missing), desc="revoice", unit="clip"):
                pass
    return {target.stem: _read_copies(target) for _, target, _ in jobs}


def revoice(samples: Floats, revoicing: Revoicing, random: np.random.Generator) -> list[tuple[Floats, float]]:
    """Speech (S,) at 16 kHz in other voices, each version with its duration as a multiple of S."""
    world = _world()
    pitch, times = world.dio(samples, SAMPLE_RATE, f0_floor=60.0, f0_ceil=400.0, frame_period=FRAME_MILLISECONDS)
    pitch = world.stonemask(samples, pitch, times, SAMPLE_RATE)
    envelope = world.cheaptrick(samples, pitch, times, SAMPLE_RATE)
    noisiness = world.d4c(samples, pitch, times, SAMPLE_RATE)
    made: list[tuple[Floats, float]] = []
    for number in range(revoicing.copies):
        higher, duration = _log_uniform(random, revoicing.pitch), _log_uniform(random, revoicing.duration)
        shorter = _log_uniform(random, revoicing.envelope)
        if number < revoicing.coupled_share * revoicing.copies:
            shorter = float(np.clip(higher**0.4 * np.exp(random.normal(0, 0.08)), *revoicing.envelope))
        voice = _changed_pitch(pitch, higher, _log_uniform(random, revoicing.melody))
        noise = stretch_bands(noisiness, shorter)
        chance = random.random()
        if chance < revoicing.whispered_share:
            voice, noise = np.zeros_like(voice), np.full_like(noise, 0.999)
        elif chance < revoicing.whispered_share + revoicing.breathy_share:
            noise = noise ** random.uniform(0.4, 1)
        throat = np.exp(stretch_bands(np.log(envelope + 1e-16), shorter))
        made.append((world.synthesize(voice, throat, noise, SAMPLE_RATE, FRAME_MILLISECONDS * duration), duration))
    return [(samples, duration) for samples, duration in made if bool(np.isfinite(samples).all())]


def stretch_bands(spectra: Floats, factor: float) -> Floats:
    """Spectra (F, B) whose content at band b moves to band ``factor`` b."""
    bands = spectra.shape[1]
    position = np.clip(np.arange(bands) / factor, 0, bands - 1)
    below = position.astype(int)
    above, share = np.minimum(below + 1, bands - 1), position - below
    return np.ascontiguousarray(spectra[:, below] * (1 - share) + spectra[:, above] * share)


def _changed_pitch(pitch: Floats, higher: float, melody: float) -> Floats:
    voiced = pitch > 0
    mean = float(pitch[voiced].mean()) if voiced.any() else 120.0
    changed = mean * (np.where(voiced, pitch, mean) / mean) ** melody * higher
    return np.where(voiced, np.clip(changed, 50, 600), 0.0)


def _log_uniform(random: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(random.uniform(*np.log(limits))))


def _make_copies(job: tuple[Tensor, Path, Revoicing]) -> None:
    samples, target, revoicing = job
    # The clip's name seeds its copies, so that a run that goes on makes the same ones.
    random = np.random.default_rng(crc32(target.stem.encode()))
    made = revoice(samples.double().numpy(), revoicing, random)
    tensors = {f"mel_{n}": log_mel(torch.from_numpy(voice)).half() for n, (voice, _) in enumerate(made)}
    tensors["durations"] = torch.tensor([duration for _, duration in made], dtype=torch.float64)
    write_whole(target, tensors)


def _read_copies(path: Path) -> list[Copy]:
    stored = load_file(path)
    return [Copy(stored[f"mel_{n}"], duration) for n, duration in enumerate(stored["durations"].tolist())]


def _world() -> ModuleType:
    try:
        import pyworld
    except ImportError as error:
        raise SadTalkerError(
            "Training ExpNet needs the WORLD vocoder to change voices. Install it: pip install pyworld"
        ) from error
    return pyworld
