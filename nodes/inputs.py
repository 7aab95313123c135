"""Inputs that several nodes share, so that each has one range and one wording."""

from __future__ import annotations

from comfy_api.latest import io

from ..sadtalker_core.face.extract import FACE_ORDERS
from ..sadtalker_core.face.framing import FRAMINGS, MAX_SIZE, OWN_SIZE
from ..sadtalker_core.flow import MODEL_FPS
from ..sadtalker_core.posevae.model import PoseVAEConfig
from . import sockets
from .convert import IMAGE_POLICY

LARGEST_SEED = 0xFFFFFFFFFFFFFFFF


def pack() -> io.Input:
    return sockets.Pack.Input("pack", tooltip="The networks, from Load Models.")


def mel() -> io.Input:
    return sockets.Mel.Input("mel", tooltip="The speech, from Audio to Mel. Its length decides the number of frames.")


def face() -> io.Input:
    return sockets.Face.Input("face", tooltip="The portrait, from Extract 3DMM.")


def coefficients(what: str, name: str = "coefficients") -> io.Input:
    return sockets.Coeffs.Input(name, tooltip=what)


def open_pack(what: str) -> io.Input:
    return sockets.Pack.Input(
        "pack", optional=True, tooltip=f"The networks that made the track, from Load Models: the open ones tell {what}."
    )


def image() -> io.Input:
    return io.Image.Input("image", tooltip=f"The portrait. {IMAGE_POLICY}")


def audio() -> io.Input:
    return io.Audio.Input(
        "audio", tooltip="The speech, any sample rate, mono or stereo; one recording, not a batch of them."
    )


def fps() -> io.Input:
    return _fps(
        "fps", f"Frames a second of the video. The networks learned at {MODEL_FPS}, where motion looks most natural."
    )


def images_fps() -> io.Input:
    return _fps("images_fps", "Frames a second of the images. A video brings its own.")


def _fps(name: str, what: str) -> io.Input:
    return io.Float.Input(name, default=float(MODEL_FPS), min=1.0, max=120.0, step=0.01, tooltip=what)


def video(what: str) -> io.Input:
    return io.Video.Input("video", optional=True, tooltip=what)


def images() -> io.Input:
    return io.Image.Input("images", optional=True, tooltip="Instead of a video: its frames as a batch.")


def framing() -> io.Input:
    return io.Combo.Input(
        "framing",
        options=list(FRAMINGS),
        default=FRAMINGS[0],
        tooltip="crop: the head, cut out around the face. extcrop: with more around it. resize: the whole picture. "
        "full, extfull: as crop and extcrop, to be pasted back into the whole picture with Paste Back; the open "
        "networks animate the whole picture at once.",
    )


def size() -> io.Input:
    return io.Int.Input(
        "size",
        default=512,
        min=OWN_SIZE,
        max=MAX_SIZE,
        step=2,
        tooltip="Longer side of the video in pixels, from 256. A whole picture is made smaller, never larger; the "
        "official networks draw 256 or 512, as their file says, and never more. 0: as many pixels as the crop, or the "
        "picture, has of its own.",
    )


def face_index() -> io.Input:
    return io.Int.Input(
        "face_index", default=0, min=0, max=99, tooltip="Which face, if there are several: 0 is the largest."
    )


def face_order(default: str = FACE_ORDERS[0], *, optional: bool = False) -> io.Input:
    return io.Combo.Input(
        "face_order",
        options=list(FACE_ORDERS),
        default=default,
        optional=optional,
        tooltip="How faces are counted, if there are several: from the largest, or from the picture's left.",
    )


def blink() -> io.Input:
    return io.Boolean.Input("blink", default=True, tooltip="Whether the eyes blink now and then.")


def still() -> io.Input:
    return io.Boolean.Input("still", default=False, tooltip="Whether the head keeps the portrait's own pose.")


def other_pack() -> io.Input:
    return sockets.Pack.Input(
        "pack", optional=True, tooltip="Other networks, from Load Models. Without it: the built-in ones."
    )


def expression_scale() -> io.Input:
    return io.Float.Input(
        "expression_scale",
        default=1.0,
        min=0.0,
        max=3.0,
        step=0.05,
        tooltip="Strength of the facial motion: 0 keeps the portrait's expression, 1 is natural, more exaggerates.",
    )


def style() -> io.Input:
    last = PoseVAEConfig().styles - 1
    return io.Int.Input(
        "style",
        default=0,
        min=0,
        max=last,
        tooltip=f"Manner of the head motion. The official networks know styles 0 to {last}; others may know fewer.",
    )


def pose_scale() -> io.Input:
    return io.Float.Input(
        "pose_scale",
        default=1.0,
        min=0.0,
        max=3.0,
        step=0.05,
        tooltip="Strength of the head motion: 0 keeps the head still, 1 is natural, more exaggerates.",
    )


def watermark() -> io.Input:
    return io.Boolean.Input(
        "watermark",
        default=True,
        optional=True,  # graphs saved for the host's interface do not have it yet
        tooltip="Whether the frames carry an invisible mark that says they are made by AI. It survives compression and "
        "resizing, and Detect Watermark finds it. Frames smaller than about 208x208 pixels have no room for it.",
    )


def seed(what: str) -> io.Input:
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=LARGEST_SEED,
        control_after_generate=True,
        tooltip=f"Chooses {what}. The same seed gives the same result.",
    )
