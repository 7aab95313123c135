"""Makes the real ComfyUI importable in this process, without a server, and runs nodes as its executor does."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MISSING = (
    "No ComfyUI in {folder}: the tests of the node layer run against the real one. Start them with "
    "`python host/test.py`, which fetches it, or set COMFYUI_DIR to the folder of an installation."
)


def use_comfy() -> None:
    """Put ComfyUI on the import path, set to the CPU and to a folder without models whose input holds the demo files.

    Raises:
        FileNotFoundError: there is no ComfyUI.
    """
    cache_folder = os.environ.get("SADTALKER_CACHE") or str(ROOT / ".cache")
    folder = Path(os.environ.get("COMFYUI_DIR") or Path(cache_folder) / "ComfyUI").expanduser().absolute()
    if not (folder / "comfy_api" / "latest").is_dir():
        raise FileNotFoundError(MISSING.format(folder=folder))
    if str(folder) in sys.path:
        return
    sys.path.insert(0, str(folder))
    # Now: the host's nodes.py puts a folder with another ``utils`` before this one on the path.
    importlib.import_module("utils")
    from comfy.cli_args import args

    args.cpu = os.environ.get("SADTALKER_DEVICE", "cpu") == "cpu"
    args.base_directory = tempfile.mkdtemp(prefix="sadtalker-comfy-")
    shutil.copytree(ROOT / "sadtalker_core" / "assets" / "demo", Path(args.base_directory) / "input")
    atexit.register(shutil.rmtree, args.base_directory, ignore_errors=True)


@cache
def pack_nodes() -> dict[str, Any]:
    """The pack's node classes by id, as the host gets them."""
    from sadtalker_pack.nodes import SadTalkerExtension

    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(SadTalkerExtension().get_node_list())}


@cache
def core_nodes() -> dict[str, Any]:
    """The host's own nodes that the example graphs use."""
    from comfy_extras import nodes_audio, nodes_compositing, nodes_images, nodes_mask, nodes_preview_any, nodes_video

    import nodes

    mapped = {**nodes_audio.NODE_CLASS_MAPPINGS, **nodes_images.NODE_CLASS_MAPPINGS, **nodes_mask.NODE_CLASS_MAPPINGS}
    extras = ("LoadAudio", "TrimAudioDuration", "EmptyAudio", "AudioConcat", "InvertMask", "SaveAnimatedWEBP")
    pictures = {"LoadImage": nodes.LoadImage, "PreviewImage": nodes.PreviewImage}
    videos = ("LoadVideo", "GetVideoComponents", "CreateVideo", "SaveVideo")
    videos = {name: getattr(nodes_video, name) for name in videos}
    texts = {"PreviewAny": nodes_preview_any.PreviewAny}
    joined = {"JoinImageWithAlpha": nodes_compositing.JoinImageWithAlpha}
    return pictures | videos | texts | joined | {name: mapped[name] for name in extras}


@cache
def object_info() -> dict[str, dict[str, Any]]:
    """What the server's /object_info says about these nodes, in the part that graphs depend on."""
    from comfy_extras import nodes_audio, nodes_preview_any

    import nodes

    modules = nodes, nodes_audio, nodes_preview_any
    titles = {name: title for module in modules for name, title in module.NODE_DISPLAY_NAME_MAPPINGS.items()}
    info = {}
    for name, node in (core_nodes() | pack_nodes()).items():
        if hasattr(node, "GET_SCHEMA"):
            node.GET_SCHEMA()
            names, title = node.RETURN_NAMES, node.SCHEMA.display_name
        else:
            names, title = node.RETURN_TYPES, titles.get(name, name)
        info[name] = {
            "input": node.INPUT_TYPES(),
            "output": list(node.RETURN_TYPES),
            "output_name": list(names),
            "display_name": title,
        }
    return info


def run_node(node_id: str, **inputs: Any) -> tuple[Any, ...]:
    """Outputs of a node of the pack, executed on a locked clone of its class, as the host does."""
    from comfy_api.internal import make_locked_method_func

    node = pack_nodes()[node_id]
    clone = node.PREPARE_CLASS_CLONE({})
    return make_locked_method_func(node, "EXECUTE_NORMALIZED", clone)(**inputs).args
