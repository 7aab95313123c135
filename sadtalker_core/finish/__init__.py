"""FRAMES -> FRAMES: what happens after rendering."""
