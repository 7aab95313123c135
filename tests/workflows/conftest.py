"""Imports the real ComfyUI before any test module of this folder does."""

from __future__ import annotations

from sadtalker_pack.tests.nodes.comfy_host import use_comfy

use_comfy()
