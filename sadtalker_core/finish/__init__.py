"""FRAMES -> FRAMES: what happens after rendering. Empty so far."""
