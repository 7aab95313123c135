"""Arithmetic on pictures that knows no face: levels and layouts, grids, sampling, resizing, motion, video files."""
