"""A pack and a face of a clip -> the mouth and the head that the pack makes for a voice."""

from __future__ import annotations

import torch
from torch import Tensor

from ..audio.windows import mel_windows
from ..errors import SadTalkerError
from ..face.morphable import MorphableModel
from ..flow import SAMPLE_RATE, SourceFace, Waveform
from ..metrics.mouth import MouthTrack, measure_mouth
from ..pack import Pack
from ..pipeline import TalkingHeadOptions, predict_coefficients
from .clips import RealClip

FRAME_SIZE = 512
NOISE_DECIBELS = -50.0
"""Level of a room, against a full-scale wave."""


def mesh_model(pack: Pack) -> MorphableModel:
    """The 3DMM in whose frame mouths are measured.

    Raises:
        SadTalkerError: the pack's keypoints are not the vertices of a face mesh.
    """
    if pack.vertices is None:
        raise SadTalkerError(
            f"Mouths are measured on the 478 vertices of the open pack; the keypoints of the pack '{pack.name}' are "
            "others. Measure its finished frames instead."
        )
    return pack.vertices


def face_in_frame(pack: Pack, clip: RealClip, frame: int, picture: Tensor | None = None) -> SourceFace:
    """The face of a frame of a clip as a portrait; without the picture (3, H, W) one that can move but not be shown."""
    shown = torch.zeros(3, clip.height, clip.width) if picture is None else picture
    return pack.extractor.extract(shown, clip.points[frame], framing="crop", size=FRAME_SIZE)


def first_frame(clip: RealClip) -> int:
    """The first frame that shows a face."""
    return int(clip.valid.nonzero()[0])


def closed_frame(model: MorphableModel, clip: RealClip) -> int:
    """The frame in which the lips are closest."""
    opening = measure_mouth(model, clip.points, clip.width, clip.height).opening
    return int(opening.nan_to_num(torch.inf).argmin())


def resting_mouth(model: MorphableModel, face: SourceFace) -> MouthTrack:
    """The portrait's own mouth, one frame."""
    return measure_mouth(model, face.landmarks[None], face.crop.width, face.crop.height)


def speaking_mouth(pack: Pack, face: SourceFace, waveform: Waveform) -> MouthTrack:
    """The mouth that the pack gives a portrait for a voice, at 25 frames a second; still head, no blinks."""
    options = TalkingHeadOptions(still=True, blink=False)
    coefficients = predict_coefficients(pack, face, mel_windows(waveform), options)
    driving = pack.mapping.keypoints(face, coefficients).driving
    return measure_mouth(mesh_model(pack), driving, face.crop.width, face.crop.height)


def room_noise(seconds: float, seed: int = 0) -> Waveform:
    """Noise of a room: falls by 3 dB an octave from 50 Hz, at ``NOISE_DECIBELS``."""
    count = int(seconds * SAMPLE_RATE)
    spectrum = torch.fft.rfft(torch.randn(count, generator=torch.Generator().manual_seed(seed)))
    hertz = torch.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    samples = torch.fft.irfft(spectrum * (hertz >= 50) / hertz.clamp_min(50).sqrt(), count)
    return Waveform(samples * (10 ** (NOISE_DECIBELS / 20) / samples.square().mean().sqrt()))
