"""The same modules, other direction. ``python -m sadtalker_core.training`` is the way in."""
