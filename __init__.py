"""ComfyUI-SadTalker: one portrait and a speech recording become a talking-head video.

This file does nothing when it is imported: the host finds ``comfy_entrypoint`` here, and only that call imports
the node layer. Test runners and editors can therefore import the root without a ComfyUI around it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"
__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


async def comfy_entrypoint() -> ComfyExtension:
    """Return the extension that lists the pack's nodes; called once by the host at start."""
    try:
        from .nodes import SadTalkerExtension
        from .nodes.live_preview import add_preview_route
    except Exception:
        # The host reports a failing entrypoint in one line without a traceback, which nobody can act on.
        logging.getLogger(__name__).exception("ComfyUI-SadTalker: the nodes could not be imported")
        raise
    add_preview_route()
    return SadTalkerExtension()
