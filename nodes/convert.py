"""Converts the host's IMAGE, AUDIO and VIDEO to the values of the core and back; layouts change only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

import torch
from comfy_api.latest import Input, InputImpl, Types
from einops import rearrange
from scipy.signal import resample_poly
from torch import Tensor

from ..sadtalker_core.audio.waveform import mono_waveform
from ..sadtalker_core.errors import AudioError, SadTalkerError
from ..sadtalker_core.flow import Waveform

IMAGE_POLICY = "One picture, in colour or grey. Transparent parts are shown on white."
"""Part of the tooltip of each node that takes a portrait."""
_WHITE_FRACTION = 0.98
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
_RESAMPLED_RATE = 48_000


def picture_from_image(image: Tensor) -> Tensor:
    """The one picture of an IMAGE (1, H, W, C) as (3, H, W) float32 RGB in [0, 1].

    C may be 1 (grey), 2 (grey and alpha), 3 or 4 (RGBA); 8 and 16 bit integers are scaled to [0, 1].

    Raises:
        SadTalkerError: it is not one picture, or the numbers are not those of a picture.
    """
    if image.ndim != 4 or image.shape[3] not in (1, 2, 3, 4) or 0 in image.shape[1:3]:
        raise SadTalkerError(
            f"Expected an IMAGE of shape (1, height, width, channels) with 1 to 4 channels, got {tuple(image.shape)}."
        )
    if image.shape[0] != 1:
        raise SadTalkerError(
            f"Expected one picture, got a batch of {image.shape[0]}. Choose one with the ImageFromBatch node."
        )
    pixels = _unit_range(image[0])
    channels = pixels.shape[2]
    colour = pixels[..., : 3 if channels > 2 else 1]
    if channels in (2, 4):
        alpha = pixels[..., -1:]
        colour = colour * alpha + (1 - alpha)
    _check_not_white(colour)
    return rearrange(colour.expand(-1, -1, 3), "h w c -> c h w").contiguous()


def image_from_frames(frames: Tensor) -> Tensor:
    """IMAGE (T, H, W, 3) of frames (T, 3, H, W)."""
    return rearrange(frames, "t c h w -> t h w c").contiguous()


def frames_from_image(image: Tensor) -> Tensor:
    """Frames (T, 3, H, W) of an IMAGE (T, H, W, 3), in [0, 1].

    Raises:
        SadTalkerError: the IMAGE has another number of channels, or is empty.
    """
    if image.ndim != 4 or image.shape[3] not in (3, 4) or 0 in image.shape:
        raise SadTalkerError(f"Expected an IMAGE of shape (frames, height, width, 3), got {tuple(image.shape)}.")
    return rearrange(image[..., :3], "t h w c -> t c h w")


def one_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """The one mask (height, width), in [0, 1], of a MASK for a picture of that size.

    Raises:
        SadTalkerError: there are several masks, or the mask has another size.
    """
    masks = masks_for(mask, height, width)
    if len(masks) != 1:
        raise SadTalkerError(f"Expected one mask, got a batch of {len(masks)}.")
    return masks[0]


def masks_for(mask: Tensor, height: int, width: int) -> Tensor:
    """The masks (M, height, width), in [0, 1], of a MASK for a picture of that size.

    Raises:
        SadTalkerError: the masks have another size.
    """
    masks = mask[None] if mask.ndim == 2 else mask
    if masks.ndim != 3 or tuple(masks.shape[1:]) != (height, width) or not len(masks):
        raise SadTalkerError(
            f"Expected a mask of the picture's size, {width}x{height} pixels; got the shape {tuple(mask.shape)}. Paint "
            "it on the same picture. (Load Image without a painted mask gives a mask of 64x64.)"
        )
    return masks.float().clamp(0, 1)


def waveform_from_audio(audio: Mapping[str, Any] | None) -> Waveform:
    """The one recording of an AUDIO, mono at 16 kHz.

    Raises:
        AudioError: there is no sound, there are several recordings, or the samples are not usable.
    """
    if audio is None:
        raise AudioError("Expected a recording, got none: the video has no sound track.")
    samples, rate = audio["waveform"], int(audio["sample_rate"])
    if samples.ndim != 3:
        raise AudioError(f"Expected AUDIO of shape (1, channels, samples), got {tuple(samples.shape)}.")
    if samples.shape[0] != 1:
        raise AudioError(
            f"Expected one recording, got a batch of {samples.shape[0]}. Connect a node that gives one recording, such "
            "as Load Audio, and make one video for each."
        )
    return mono_waveform(samples[0].float(), rate)


def mixed_audio(audios: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """All recordings mixed to one mono AUDIO, as long as the longest; made quieter only if it would be clipped."""
    parts = [audio for audio in audios if audio is not None]
    rate = max(int(audio["sample_rate"]) for audio in parts)
    monos = [audio["waveform"].float().cpu()[0].mean(0) for audio in parts]
    tracks = [_resampled(mono, int(audio["sample_rate"]), rate) for mono, audio in zip(monos, parts, strict=True)]
    mixed = torch.zeros(max(map(len, tracks)))
    for track in tracks:
        mixed[: len(track)] += track
    return {"waveform": (mixed / mixed.abs().max().clamp_min(1))[None, None], "sample_rate": rate}


def video_from_frames(frames: Tensor, fps: float, audio: Mapping[str, Any]) -> InputImpl.VideoFromComponents:
    """VIDEO of frames (T, 3, H, W), H and W even, with the sound of the AUDIO from which they were made."""
    components = Types.VideoComponents(
        images=image_from_frames(frames),
        audio=encodable_audio(audio),
        frame_rate=Fraction(fps).limit_denominator(1000),
    )
    return InputImpl.VideoFromComponents(components)


def _unit_range(pixels: Tensor) -> Tensor:
    if not pixels.is_floating_point():
        # 16 bit pictures of numpy can also arrive as int32, because most torch operations lack uint16.
        largest = {torch.uint8: 255, torch.uint16: 65_535, torch.int32: 65_535}.get(pixels.dtype)
        if largest is None:
            raise SadTalkerError(f"Expected a picture with numbers in 0..1, got numbers of type {pixels.dtype}.")
        return pixels.float() / largest
    pixels = pixels.float()
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -1 and high <= 2):  # also false for NaN
        raise SadTalkerError(f"Expected a picture with numbers in 0..1, got {low:g} to {high:g}.")
    return pixels.clamp(0, 1)  # resampling can exceed the range a little


def _check_not_white(colour: Tensor) -> None:
    fraction = float((colour.amin(2) >= 0.999).float().mean())
    if fraction > _WHITE_FRACTION:
        raise SadTalkerError(
            f"{fraction:.0%} of the picture is white. Load Image turns a grey picture of 16 bits into white: save it "
            "with 8 bits per channel."
        )


def encodable_audio(audio: Mapping[str, Any]) -> Input.Audio:
    """The sound in the form that the host's AAC encoder accepts: CPU, one or two channels, a supported sample rate."""
    samples, rate = audio["waveform"].float().cpu(), int(audio["sample_rate"])
    if samples.shape[1] > 2:
        samples = samples.mean(1, keepdim=True)
    if rate not in _AAC_RATES:
        samples, rate = _resampled(samples, rate, _RESAMPLED_RATE), _RESAMPLED_RATE
    return Input.Audio(waveform=samples, sample_rate=rate)


def _resampled(samples: Tensor, rate: int, wanted: int) -> Tensor:
    """Samples (..., N) at another rate."""
    if rate == wanted:
        return samples
    shared = gcd(rate, wanted)
    return torch.from_numpy(resample_poly(samples.numpy(), wanted // shared, rate // shared, axis=-1))
