"""AUDIO -> MEL."""
