"""Sliders, keyframes and idle life -> COEFFICIENTS."""
