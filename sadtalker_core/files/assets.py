"""Where the files lie that ship with the pack."""

from __future__ import annotations

from pathlib import Path

_ASSETS = Path(__file__).resolve().parent.parent / "assets"
OPEN_ASSETS = _ASSETS / "open"
"""Weights of the open pack, and of the landmarker that all packs use."""
DEMO_ASSETS = _ASSETS / "demo"
"""A portrait, a recording and a video to try the pack with."""
