"""A video and a recording -> the same video in which its face speaks the recording."""
