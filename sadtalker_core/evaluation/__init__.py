"""Frames and tracks -> numbers. Empty so far."""
