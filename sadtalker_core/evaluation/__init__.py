"""Frames and tracks -> numbers: the paper's measures, and those that tell whether speech looks like speech."""
