"""Tracks on disk: our own safetensors files, the original's .mat files, and tables for other programs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from scipy.io import savemat
from torch import Tensor

from ..errors import SadTalkerError, TrackError
from ..flow import EXPRESSION_SIZE, MODEL_FPS, POSE_SIZE, Coefficients
from .channels import Channels
from .matching import STREAMS, check_track, stream_of, streams_of
from .matlab import LARGEST, read_matrix

TRACK_SUFFIXES = (".safetensors", ".mat")
"""Suffixes of the files that can be read."""
FORMAT = "sadtalker coefficients 1"
"""The value of ``format`` in the metadata of our files."""
MAT_KEY = "coeff_3dmm"
MAT_BASIS = "bfm09"
_MAT_WIDTHS = (EXPRESSION_SIZE + POSE_SIZE, EXPRESSION_SIZE + POSE_SIZE + 3)
"""Columns of a .mat file without and with the position of the crop."""


def write_coefficients(track: Coefficients, path: Path) -> None:
    """Write a track to a safetensors file, with its basis and frame rate inside.

    Raises:
        TrackError: the track has no frames, or contains NaN or infinity.
    """
    check_track(track)
    tensors = {name: stream.detach().cpu().float().contiguous() for name, stream in streams_of(track).items()}
    # Not save_file: only the owner can read its files.
    path.write_bytes(save(tensors, metadata={"format": FORMAT, "basis": track.basis, "fps": json.dumps(track.fps)}))


def write_mat(track: Coefficients, path: Path) -> None:
    """Write a track to a .mat file as the original SadTalker does: expression, angles, translation, crop in columns.

    Raises:
        TrackError: the track is not from the official networks, or has no expression or pose.
    """
    check_track(track)
    if track.basis != MAT_BASIS:
        raise TrackError(
            f"A .mat file of the original SadTalker contains coefficients of the basis '{MAT_BASIS}', but this track "
            f"has the basis '{track.basis}'. Save it as .safetensors."
        )
    rows = [stream_of(track, "expression"), stream_of(track, "pose")]
    if track.crop is not None:
        rows.append(track.crop)
    savemat(path, {MAT_KEY: torch.cat([part.detach().cpu().float() for part in rows], 1).numpy()})


def write_table(channels: Channels, path: Path) -> None:
    """Write named curves to a CSV file: a line for each frame, with its number and its time in seconds."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("frame", "time", *channels.curves))
        curves = zip(*(curve.tolist() for curve in channels.curves.values()), strict=True)
        for frame, values in enumerate(curves):
            lines.writerow((frame, f"{frame / channels.fps:.4f}", *(f"{value:.6g}" for value in values)))


def read_coefficients(path: Path) -> Coefficients:
    """Read a track, on the CPU; nothing in the file is executed.

    A .mat file of the original does not contain the basis and the frame rate; they are bfm09 and 25 frames per second.

    Raises:
        TrackError: the file is missing or damaged, or contains no track.
    """
    if not path.is_file():
        raise TrackError(f"There is no file {path.name} with coefficients. Put it into the input folder.")
    readers = {".safetensors": _read_safetensors, ".mat": _read_mat}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TrackError(f"{path.name}: coefficients can only be read from {' and '.join(TRACK_SUFFIXES)} files.")
    try:
        track = reader(path)
        check_track(track)
    except SadTalkerError as error:
        raise TrackError(f"{path.name} contains no usable coefficients. {error}") from error
    return track


def _read_safetensors(path: Path) -> Coefficients:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts = file.metadata() or {}
            streams = {name: file.get_tensor(name) for name in STREAMS if name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise TrackError(f"It is incomplete or not a safetensors file ({error}).") from error
    if facts.get("format") != FORMAT:
        raise TrackError("It was not written by Save Coefficients.")
    try:
        basis, fps = facts["basis"], float(facts["fps"])
    except (KeyError, ValueError) as error:
        raise TrackError(f"Its basis or frame rate is missing ({error}).") from error
    return Coefficients(basis, fps, **{name: stream.float() for name, stream in streams.items()})


def _read_mat(path: Path) -> Coefficients:
    if path.stat().st_size > LARGEST:
        raise TrackError(f"It has {path.stat().st_size} bytes, more than any track ({LARGEST}).")
    rows = read_matrix(path.read_bytes(), MAT_KEY)
    if rows is None:
        raise TrackError(f"A file of the original SadTalker has a matrix named '{MAT_KEY}'; this file has none.")
    return _from_rows(rows)


def _from_rows(rows: NDArray[Any]) -> Coefficients:
    if rows.ndim != 2 or rows.shape[1] not in _MAT_WIDTHS:
        raise TrackError(
            f"Expected {' or '.join(map(str, _MAT_WIDTHS))} numbers for each frame in '{MAT_KEY}', got an array of "
            f"shape {rows.shape}."
        )
    expression, pose, crop = torch.from_numpy(rows.astype(np.float32)).split(
        (EXPRESSION_SIZE, POSE_SIZE, rows.shape[1] - EXPRESSION_SIZE - POSE_SIZE), 1
    )
    return Coefficients(MAT_BASIS, MODEL_FPS, expression, pose, _if_any(crop))


def _if_any(columns: Tensor) -> Tensor | None:
    return columns if columns.shape[1] else None
