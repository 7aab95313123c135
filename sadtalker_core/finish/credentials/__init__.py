"""FILE -> signed FILE: content credentials (C2PA) that say a video is made by AI, and by whom.

Unlike ``watermark`` this is a proof: it names the owner of a certificate and breaks when the file is changed. But it is
gone when the file is encoded again. ``python -m sadtalker_core.finish.credentials sign`` makes it.
"""
