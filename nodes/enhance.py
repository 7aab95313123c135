"""Load Face Restorer, Enhance, Detail Transfer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import torch
from comfy import model_management
from comfy.model_patcher import ModelPatcher
from comfy.utils import tiled_scale
from comfy_api.latest import io
from spandrel import ImageModelDescriptor
from torch import Tensor

from ..sadtalker_core.face.tracking import track_landmarks
from ..sadtalker_core.files.read import SUFFIXES
from ..sadtalker_core.finish.sharpen.aligned_faces import AlignedFaces, align_faces
from ..sadtalker_core.finish.sharpen.detail import transfer_detail
from ..sadtalker_core.finish.sharpen.restore import LARGEST_SCALE, Enhancement, enhance_frames
from ..sadtalker_core.finish.sharpen.restorer import FaceRestorer, load_restorer
from ..sadtalker_core.flow import Keypoints, SourceFace
from ..sadtalker_core.progress import Progress, part_of
from ..sadtalker_core.render.frames import frames_at_once
from . import inputs, sockets
from .convert import frames_from_image, image_from_frames
from .frames import Frames
from .host import (
    HostedPack,
    check_choice,
    in_batches,
    load_fully,
    progress,
    render_memory,
    to_device,
    to_host,
)
from .load import hosted_open_pack

LOG = logging.getLogger(__name__)
FOLDER = "facerestore_models"
"""Folder of restoration files, below ComfyUI's models folder; other packs use the same name."""
NONE = "none"
_TILE, _SMALLEST_TILE, _OVERLAP = 512, 128, 32
"""Pixels a side of the parts in which frames are enlarged, and by how many they overlap."""
_ENLARGING_BYTES = 384 * 4 * 3
"""Working memory for one pixel of an enlarged part, as the host reckons for its own node."""


@dataclass(frozen=True)
class HostedRestorer:
    """A face restoration network under the host's model manager; the value of a SADTALKER_RESTORER socket."""

    core: FaceRestorer
    patcher: ModelPatcher

    def load(self, faces: int) -> torch.device:
        """Bring it to the device it computes on, with room for so many faces at a time."""
        return load_fully([self.patcher], faces * self.core.bytes_per_face)


def register_folder() -> None:
    """Tell the host of the folder; what a person or another pack has registered stays."""
    paths, suffixes = folder_paths.folder_names_and_paths.get(FOLDER, ([], set(SUFFIXES)))
    own = str(Path(folder_paths.models_dir) / FOLDER)
    folder_paths.folder_names_and_paths[FOLDER] = (paths if own in paths else [*paths, own], suffixes)


def choices() -> list[str]:
    """What the list of restorers shows."""
    files = folder_paths.get_filename_list(FOLDER)
    return [NONE, *(name for name in files if Path(name).suffix.lower() in SUFFIXES)]


class LoadRestorer(io.ComfyNode):
    """File choice -> RESTORER."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerLoadRestorer",
            display_name="Load Face Restorer",
            category="SadTalker/load",
            description="Loads a face restoration network for Enhance: GFPGAN 1.2, 1.3, 1.4 or RestoreFormer.",
            inputs=[
                io.Combo.Input(
                    "restorer",
                    options=choices(),
                    default=NONE,
                    tooltip=f"A file in the folder models/{FOLDER}, such as GFPGANv1.4.pth or RestoreFormer.pth. No "
                    "file comes with the nodes. After you add one, press R to see it here. none: Enhance only "
                    "enlarges, and leaves faces as they are.",
                )
            ],
            outputs=[sockets.Restorer.Output(display_name="restorer", tooltip="The network, for Enhance.")],
        )

    @classmethod
    def validate_inputs(cls, restorer: str | None = None) -> bool | str:
        checked = check_choice("restorer", restorer, choices())
        return checked if checked is True else f"{checked} Put the file into the folder models/{FOLDER} and press R."

    @classmethod
    def fingerprint_inputs(cls, restorer: str) -> str:
        path = None if restorer == NONE else folder_paths.get_full_path(FOLDER, restorer)
        return "" if path is None else f"{Path(path).stat().st_size} {Path(path).stat().st_mtime_ns}"

    @classmethod
    def execute(cls, restorer: str) -> io.NodeOutput:
        if restorer == NONE:
            return io.NodeOutput(None)
        network = load_restorer(Path(folder_paths.get_full_path_or_raise(FOLDER, restorer)))
        device, offload_device = model_management.get_torch_device(), model_management.unet_offload_device()
        return io.NodeOutput(HostedRestorer(network, ModelPatcher(network, device, offload_device)))


class Enhance(io.ComfyNode):
    """IMAGE, RESTORER, UPSCALE_MODEL -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerEnhance",
            display_name="Enhance",
            category="SadTalker/finish",
            description="Enlarges frames and restores the largest face in them, in the same way in every frame. "
            "Flicker is reduced, and the face keeps its colours.",
            inputs=[
                io.Image.Input("frames", tooltip="The frames of one video, from Face Render or Paste Back, in order."),
                io.Float.Input(
                    "scale",
                    default=2.0,
                    min=1.0,
                    max=LARGEST_SCALE,
                    step=0.25,
                    tooltip="How much larger the frames become. It does not depend on the factor of the upscale model.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Weight of what the restorer adds. 0 adds nothing; less than 1 keeps more likeness.",
                ),
                io.Float.Input(
                    "stability",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the restorer's flicker is removed. What the restorer adds is averaged over "
                    "neighbouring frames along their motion. 0 turns this off.",
                ),
                io.Int.Input(
                    "batch_size",
                    default=4,
                    min=1,
                    max=64,
                    tooltip="Number of frames processed at once. More can be faster and needs more memory. If the "
                    "memory is too small, the number is halved automatically. The result does not depend on it.",
                ),
                sockets.Restorer.Input(
                    "restorer",
                    optional=True,
                    tooltip="The network, from Load Face Restorer. If not connected, frames are only enlarged.",
                ),
                io.UpscaleModel.Input(
                    "upscale_model",
                    optional=True,
                    tooltip="Enlarges what is around the face. If not connected, bicubic interpolation is used.",
                ),
                sockets.Pack.Input(
                    "pack",
                    optional=True,
                    tooltip="The networks that find the face. If not connected, the built-in ones are used.",
                ),
            ],
            outputs=[io.Image.Output(display_name="frames", tooltip="The enhanced frames, for Create Video.")],
        )

    @classmethod
    def execute(
        cls,
        frames: Tensor,
        scale: float,
        weight: float,
        stability: float,
        batch_size: int,
        restorer: HostedRestorer | None = None,
        upscale_model: ImageModelDescriptor | None = None,
        pack: HostedPack | None = None,
    ) -> io.NodeOutput:
        pictures, report = frames_from_image(frames), progress()
        faces, device = None, model_management.get_torch_device()
        if restorer is not None and weight:
            faces = _find_faces(pack or hosted_open_pack(), pictures, part_of(report, 0, 2))
            device = restorer.load(batch_size)
        enhanced = in_batches(
            lambda count: enhance_frames(
                pictures,
                Enhancement(scale, weight, stability, count),
                device,
                restore=None if restorer is None else restorer.core,
                faces=faces,
                enlarge=None if upscale_model is None else _enlarger(upscale_model, device),
                on_progress=report if faces is None else part_of(report, 1, 2),
            ),
            batch_size,
        )
        if upscale_model is not None:
            upscale_model.to("cpu")
        return io.NodeOutput(image_from_frames(to_host(enhanced)))


class DetailTransfer(io.ComfyNode):
    """PACK, FACE, KEYPOINTS, IMAGE -> IMAGE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SadTalkerDetailTransfer",
            display_name="Detail Transfer",
            category="SadTalker/finish",
            description="Gives rendered frames the size and the fine detail of the portrait. The detail follows the "
            "renderer's own motion. For the official networks, which draw 256 or 512 pixels, and for frames of a "
            "reduced size.",
            inputs=[
                inputs.pack(),
                inputs.face(),
                sockets.Keypoints.Input("keypoints", tooltip="The keypoints from which Face Render made these frames."),
                io.Image.Input("frames", tooltip="The frames, from Face Render."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="Strength of the detail: 0 only enlarges, 1 gives the detail of the portrait, more "
                    "sharpens.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames",
                    tooltip="The frames with as many pixels as their part of the portrait has, for Paste Back or "
                    "Create Video.",
                )
            ],
        )

    @classmethod
    def execute(
        cls, pack: HostedPack, face: SourceFace, keypoints: Keypoints, frames: Tensor, strength: float
    ) -> io.NodeOutput:
        renderer, pixels = pack.core.renderer, face.cropped[0].numel()
        batch_size = frames_at_once(renderer, pixels)
        device = pack.load("renderer", memory_required=render_memory(renderer, pixels, batch_size))
        face, keypoints = to_device(face, device), to_device(keypoints, device)
        finished = in_batches(
            lambda count: transfer_detail(
                renderer,
                face,
                keypoints,
                frames_from_image(frames),
                strength=strength,
                batch_size=count,
                on_progress=progress(),
            ),
            batch_size,
        )
        return io.NodeOutput(image_from_frames(to_host(finished)))


def _find_faces(pack: HostedPack, pictures: Tensor, report: Progress) -> AlignedFaces:
    device, pixels = pack.load("landmarker"), pictures[0, 0].numel()
    moved = Frames(lambda: (picture.to(device) for picture in pictures), len(pictures), 0.0, pixels)
    track = track_landmarks(pack.core.landmarker, moved, on_progress=report)
    faces = align_faces(track)
    missing = int((track.presence == 0).sum())
    if missing:
        LOG.warning("%d of %d frames show no face; what is far from any face is not restored.", missing, len(track))
    return faces


def _enlarger(model: ImageModelDescriptor, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Frames (B, 3, H, W) -> larger ones, in parts that become smaller when the device's memory does not suffice."""

    def enlarge(frames: Tensor) -> Tensor:
        tile = _TILE
        while True:
            try:
                larger = tiled_scale(
                    frames, model, tile, tile, _OVERLAP, upscale_amount=model.scale, output_device=device
                )
                return larger.clamp_(0, 1)
            except model_management.OOM_EXCEPTION:
                if tile == _SMALLEST_TILE:
                    raise
            tile //= 2
            model_management.soft_empty_cache()

    memory = model_management.module_size(model.model) + _TILE**2 * _ENLARGING_BYTES * max(model.scale, 1)
    model_management.free_memory(memory, device)
    model.to(device)
    return enlarge


register_folder()
