"""Frames into the picture they were cut from, or without their background."""
