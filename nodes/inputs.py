"""Inputs that several nodes share; each has one range and one text."""

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
    return sockets.Mel.Input("mel", tooltip="The speech, from Audio to Mel. Its length sets the number of frames.")


def face() -> io.Input:
    return sockets.Face.Input("face", tooltip="The portrait, from Extract 3DMM.")


def coefficients(what: str, name: str = "coefficients") -> io.Input:
    return sockets.Coeffs.Input(name, tooltip=what)


def open_pack(what: str) -> io.Input:
    return sockets.Pack.Input(
        "pack",
        optional=True,
        tooltip=f"The networks that made the track, from Load Models. Only the open networks know {what}.",
    )


def image() -> io.Input:
    return io.Image.Input("image", tooltip=f"The portrait. {IMAGE_POLICY}")


def audio() -> io.Input:
    return io.Audio.Input("audio", tooltip="The speech: one recording, not a batch. Any sample rate, mono or stereo.")


def fps() -> io.Input:
    return _fps(
        "fps",
        f"Frames per second of the video. The networks were trained at {MODEL_FPS}, where motion looks most natural.",
    )


def images_fps() -> io.Input:
    return _fps("images_fps", "Frames per second of the images. A video has its own frame rate.")


def _fps(name: str, what: str) -> io.Input:
    return io.Float.Input(name, default=float(MODEL_FPS), min=1.0, max=120.0, step=0.01, tooltip=what)


def video(what: str) -> io.Input:
    return io.Video.Input("video", optional=True, tooltip=what)


def images() -> io.Input:
    return io.Image.Input("images", optional=True, tooltip="The frames of the video as a batch, instead of a video.")


def framing() -> io.Input:
    return io.Combo.Input(
        "framing",
        options=list(FRAMINGS),
        default=FRAMINGS[0],
        tooltip="crop: the head, cut out around the face. extcrop: the head with more around it. resize: the whole "
        "picture. full, extfull: like crop and extcrop, but Paste Back puts the result back into the whole picture; "
        "the open networks animate the whole picture directly.",
    )


def size() -> io.Input:
    return io.Int.Input(
        "size",
        default=512,
        min=OWN_SIZE,
        max=MAX_SIZE,
        step=2,
        tooltip="Longer side of the video in pixels, at least 256; 0 keeps the size of the crop, or of the whole "
        "picture. A whole picture may be reduced, but is never enlarged. The official networks draw 256 or 512, "
        "depending on their file, and never more.",
    )


def face_index(first: str = "the largest") -> io.Input:
    return io.Int.Input(
        "face_index", default=0, min=0, max=99, tooltip=f"Which face to use if there are several. 0 is {first}."
    )


def face_order(default: str = FACE_ORDERS[0], *, optional: bool = False) -> io.Input:
    return io.Combo.Input(
        "face_order",
        options=list(FACE_ORDERS),
        default=default,
        optional=optional,
        tooltip="How faces are numbered if there are several: from the largest, or from the left of the picture.",
    )


def blink() -> io.Input:
    return io.Boolean.Input("blink", default=True, tooltip="Whether the eyes blink now and then.")


def still() -> io.Input:
    return io.Boolean.Input("still", default=False, tooltip="Whether the head keeps the portrait's own pose.")


def other_pack() -> io.Input:
    return sockets.Pack.Input(
        "pack",
        optional=True,
        tooltip="Other networks, from Load Models. If not connected, the built-in networks are used.",
    )


def expression_scale() -> io.Input:
    return io.Float.Input(
        "expression_scale",
        default=1.0,
        min=0.0,
        max=3.0,
        step=0.05,
        tooltip="Strength of the facial motion: 0 keeps the portrait's expression, 1 is natural, more is exaggerated.",
    )


def style() -> io.Input:
    last = PoseVAEConfig().styles - 1
    return io.Int.Input(
        "style",
        default=0,
        min=0,
        max=last,
        tooltip=f"Style of the head motion. The official networks have the styles 0 to {last}; other networks may have "
        "fewer.",
    )


def pose_scale() -> io.Input:
    return io.Float.Input(
        "pose_scale",
        default=1.0,
        min=0.0,
        max=3.0,
        step=0.05,
        tooltip="Strength of the head motion: 0 keeps the head still, 1 is natural, more is exaggerated.",
    )


def watermark() -> io.Input:
    return io.Boolean.Input(
        "watermark",
        default=True,
        optional=True,  # saved graphs may not have it
        tooltip="Whether to put an invisible mark into the frames that says that AI made them. It survives compression "
        "and resizing, and Detect Watermark finds it. Frames smaller than about 208x208 pixels are too small for it.",
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
