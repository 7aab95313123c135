"""Save Coefficients, Load Coefficients."""

from __future__ import annotations

import logging
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..sadtalker_core.errors import TrackError
from ..sadtalker_core.flow import Coefficients
from ..sadtalker_core.tracks.channels import channels
from ..sadtalker_core.tracks.files import TRACK_SUFFIXES, read_coefficients, write_coefficients, write_mat, write_table
from ..sadtalker_core.tracks.matching import check_track
from . import inputs, sockets
from .host import HostedPack, check_choice

LOG = logging.getLogger(__name__)
FORMATS = ("safetensors", "mat", "csv")


class SaveCoefficients(io.ComfyNode):
    """COEFFS -> file and COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerSaveCoefficients",
            display_name="Save Coefficients",
            category="SadTalker/edit",
            description="Writes a track to a file in ComfyUI's output folder.",
            inputs=[
                inputs.coefficients("The track to save."),
                io.String.Input(
                    "filename_prefix",
                    default="SadTalker/coefficients",
                    tooltip="Folder and start of the file name, inside the output folder. A number is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default=FORMATS[0],
                    tooltip="safetensors: the whole track, for Load Coefficients. mat: the format of the original "
                    "SadTalker, for tracks of the official networks. csv: a table of angles, positions and openings, "
                    "for other programs.",
                ),
                inputs.open_pack("how far mouth and eyes are open, for the csv table"),
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The same track, unchanged.")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, format: str | None = None) -> bool | str:
        return check_choice("format", format, FORMATS)

    @classmethod
    def execute(
        cls, coefficients: Coefficients, filename_prefix: str, format: str, pack: HostedPack | None = None
    ) -> io.NodeOutput:
        check_track(coefficients)
        path = _new_file(filename_prefix, format)
        if format == "csv":
            write_table(channels(coefficients, None if pack is None else pack.load_vertices()), path)
        else:
            (write_mat if format == "mat" else write_coefficients)(coefficients, path)
        LOG.info("Coefficients saved to %s", path)
        return io.NodeOutput(coefficients)


class LoadCoefficients(io.ComfyNode):
    """File -> COEFFS."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerLoadCoefficients",
            display_name="Load Coefficients",
            category="SadTalker/edit",
            description="Reads a track from a file in ComfyUI's input folder.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices(),
                    tooltip="A .safetensors file from Save Coefficients, or a .mat file of the original SadTalker. A "
                    ".mat file is read as a track of the official networks with 25 frames per second.",
                )
            ],
            outputs=[sockets.Coeffs.Output(display_name="coefficients", tooltip="The track in the file.")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        return check_choice("file", file, choices())

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        path = Path(folder_paths.get_input_directory()) / file
        return f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.is_file() else ""

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        if file not in choices():
            raise TrackError(f"There is no file {file} with coefficients in the input folder.")
        return io.NodeOutput(read_coefficients(Path(folder_paths.get_input_directory()) / file))


def choices() -> list[str]:
    """Files of the input folder that may hold a track."""
    folder = Path(folder_paths.get_input_directory())
    return (
        sorted(path.name for path in folder.iterdir() if path.suffix.lower() in TRACK_SUFFIXES)
        if folder.is_dir()
        else []
    )


def _new_file(prefix: str, suffix: str) -> Path:
    """Path of a new file in the output folder, named as the host names pictures."""
    output = Path(folder_paths.get_output_directory()).resolve()
    if not prefix.strip() or not (output / prefix).resolve().is_relative_to(output):
        raise TrackError(f"filename_prefix must name a file in the output folder, such as SadTalker/x; got '{prefix}'.")
    folder, name, number, _, _ = folder_paths.get_save_image_path(prefix, str(output))
    return Path(folder) / f"{name}_{number:05}_.{suffix}"
