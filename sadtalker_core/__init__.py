"""SadTalker without ComfyUI: ``flow`` holds the nouns, ``pipeline`` the arrows, each folder one stage.

What is listed here is what a Python program needs; README.md has an example of ten lines.
"""

from .audio.sound_file import read_speech
from .dub_video import DubOptions, dub
from .errors import SadTalkerError
from .flow import BlinkCurve, Coefficients, Keypoints, MelWindows, SourceFace, Waveform
from .pack import Pack
from .packs.official.load import load_official_pack
from .packs.open.load import load_open_pack
from .pictures.encode import write_video
from .pictures.video import read_picture
from .pipeline import TalkingHead, TalkingHeadOptions, talking_head
from .talking_faces import talking_faces

__all__ = [
    "BlinkCurve",
    "Coefficients",
    "DubOptions",
    "Keypoints",
    "MelWindows",
    "Pack",
    "SadTalkerError",
    "SourceFace",
    "TalkingHead",
    "TalkingHeadOptions",
    "Waveform",
    "dub",
    "load_official_pack",
    "load_open_pack",
    "read_picture",
    "read_speech",
    "talking_faces",
    "talking_head",
    "write_video",
]
