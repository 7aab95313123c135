"""Frames larger and sharper: faces restored, detail carried over from the portrait."""
