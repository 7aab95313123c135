"""The official pack's MappingNet: coefficients -> head pose and expression of 15 keypoints (paper, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...checks import check_basis, check_shape
from ...errors import SadTalkerError
from ...flow import EXPRESSION_SIZE, MODEL_FPS, POSE_SIZE, Coefficients, HeadTurn, Keypoints, SourceFace
from ...time_series import at_times
from .keypoints import ANGLE_BINS, KEYPOINTS, KeypointDetector, decode_degrees, transform_keypoints

RADIUS = 13
"""Frames on either side of its own that a window shows."""
WINDOW = 2 * RADIUS + 1
CROP_CHANNELS = EXPRESSION_SIZE + POSE_SIZE
FULL_CHANNELS = CROP_CHANNELS + 3
"""With the scale and place of the face in the picture: the network of the framings 'full' and 'extfull'."""
BATCH_SIZE = 64
_FEATURES = 1024


@dataclass(frozen=True, slots=True)
class MappingOutput:
    """What the network says about a batch of windows."""

    yaw: Tensor
    """(B, 66) logits of the angle's bins, see ``decode_degrees``"""
    pitch: Tensor
    roll: Tensor
    translation: Tensor
    """(B, 3) in the unit of the keypoints"""
    offsets: Tensor
    """(B, 15, 3) displacement of the keypoints by the expression"""


class MappingNetwork(nn.Module):
    """Windows of coefficients (B, C, 27) -> ``MappingOutput``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.first = nn.Sequential(nn.Conv1d(channels, _FEATURES, 7))
        self.encoder0 = _dilated()
        self.encoder1 = _dilated()
        self.encoder2 = _dilated()
        self.fc_roll = nn.Linear(_FEATURES, ANGLE_BINS)
        self.fc_pitch = nn.Linear(_FEATURES, ANGLE_BINS)
        self.fc_yaw = nn.Linear(_FEATURES, ANGLE_BINS)
        self.fc_t = nn.Linear(_FEATURES, 3)
        self.fc_exp = nn.Linear(_FEATURES, 3 * KEYPOINTS)

    def forward(self, windows: Tensor) -> MappingOutput:
        x = self.first(windows)  # (B, 1024, 21)
        for encoder in (self.encoder0, self.encoder1, self.encoder2):
            x = encoder(x) + x[:, :, 3:-3]  # 15, 9, 3 frames
        x = x.mean(2)
        offsets = self.fc_exp(x).unflatten(1, (KEYPOINTS, 3))
        return MappingOutput(self.fc_yaw(x), self.fc_pitch(x), self.fc_roll(x), self.fc_t(x), offsets)


class KeypointMapping(nn.Module):
    """Coefficients -> 15 keypoints in the renderer's volume."""

    basis = "bfm09"

    def __init__(self, *, crop: MappingNetwork | None, full: MappingNetwork | None) -> None:
        super().__init__()
        self.detector = KeypointDetector()
        self.crop = crop
        self.full = full

    @torch.inference_mode()
    def keypoints(self, face: SourceFace, coefficients: Coefficients, turn: HeadTurn | None = None) -> Keypoints:
        """Keypoints of the portrait and of each frame, both by way of the same network.

        A face with crop coefficients takes the network that reads them. ``turn`` replaces the frames' angles as the
        network understands them.

        Raises:
            BasisMismatchError: face or coefficients live in another basis.
            SadTalkerError: a stream is missing, or the network for this framing is.
        """
        check_basis("MappingNet", self.basis, coefficients.basis)
        check_basis("MappingNet", self.basis, face.basis)
        network = self._network(face)
        canonical = self.detector(face.cropped[None])  # (1, 15, 3)
        own = coefficient_rows(face.coefficients, face)
        source = _place(network(own[:, :, None].expand(-1, -1, WINDOW)), canonical)
        rows = coefficient_rows(coefficients, face)
        driving: list[Tensor] = []
        for frames in torch.arange(len(rows), device=rows.device).split(BATCH_SIZE):
            driving.append(_place(network(mapping_windows(rows, coefficients.fps, frames)), canonical, turn, frames))
        return Keypoints(source[0], torch.cat(driving), coefficients.fps)

    def _network(self, face: SourceFace) -> MappingNetwork:
        full = face.place is not None
        network = self.full if full else self.crop
        if network is None:
            framings, channels, name = (
                ("full and extfull", FULL_CHANNELS, "mapping_00109-model.pth.tar")
                if full
                else ("crop, extcrop and resize", CROP_CHANNELS, "mapping_00229-model.pth.tar")
            )
            raise SadTalkerError(
                f"The framings {framings} need the mapping network with {channels} inputs, which was not found. Put "
                f"its file (published as {name}) beside the chosen one, or use another framing."
            )
        return network


def coefficient_rows(track: Coefficients, face: SourceFace) -> Tensor:
    """Rows (T, 70) of expression and pose; (T, 73) for a face with crop coefficients, which every row then repeats.

    Raises:
        SadTalkerError: the expression or the pose stream is missing.
    """
    if track.expression is None or track.pose is None:
        raise SadTalkerError(
            "MappingNet needs expression and pose. Join those of ExpNet and PoseVAE with Combine Coefficients."
        )
    parts = [track.expression, track.pose]
    if face.place is not None:
        parts.append(face.place.expand(len(track), -1))
    return torch.cat(parts, 1)


def mapping_windows(rows: Tensor, fps: float, frames: Tensor) -> Tensor:
    """Windows (B, C, 27) of coefficient rows (T, C) around the given frames (B,) int64, ends repeated.

    A window spans 27 frames at 25 a second, as the network learned it; tracks of another rate are interpolated.
    """
    check_shape("frames", frames, "B")
    steps = torch.arange(-RADIUS, RADIUS + 1, device=rows.device, dtype=torch.float64) * (fps / MODEL_FPS)
    position = frames[:, None] + steps  # (B, 27)
    return at_times(rows, position).transpose(1, 2)


def _place(
    output: MappingOutput, canonical: Tensor, turn: HeadTurn | None = None, frames: Tensor | None = None
) -> Tensor:
    """Keypoints (B, 15, 3) of canonical ones (1, 15, 3)."""
    angles = {name: decode_degrees(getattr(output, name)) for name in ("yaw", "pitch", "roll")}
    if turn is not None:
        given = {name: curve[frames] for name, curve in turn.angles.items() if curve is not None}
        angles |= {name: curve.to(canonical) for name, curve in given.items()}
    return transform_keypoints(
        canonical.expand(len(output.translation), -1, -1),
        **angles,
        translation=output.translation,
        offsets=output.offsets,
    )


def _dilated() -> nn.Sequential:
    return nn.Sequential(nn.LeakyReLU(0.1), nn.Conv1d(_FEATURES, _FEATURES, 3, dilation=3))
