"""Files as phones and cameras write them."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.pictures.encode import write_video
from sadtalker_pack.sadtalker_core.pictures.video import read_picture, read_pictures


def film(path):
    """Three frames of 64x32, the left half red."""
    levels = np.zeros((32, 64, 3), np.uint8)
    levels[:, :32, 0] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv444p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_pictures_in_order_and_range(tmp_path):
    frames = list(read_pictures(film(tmp_path / "a.mp4")))
    assert [tuple(frame.shape) for frame in frames] == [(3, 32, 64)] * 3
    assert frames[0][0, :, :30].min() > 0.9
    assert frames[0][0, :, 34:].max() < 0.1


def test_a_film_that_lies_on_its_side_comes_upright(tmp_path):
    """The display matrix of a phone's file; PyAV tells of it in ``frame.rotation``."""
    upright = list(read_pictures(film(tmp_path / "a.mp4")))[0]
    turned = _with_rotation(tmp_path / "a.mp4", tmp_path / "turned.mp4", 90)
    frame = list(read_pictures(turned))[0]
    assert frame.shape == (3, 64, 32)
    assert torch.allclose(frame, torch.rot90(upright, 1, (1, 2)), atol=0.1)


def _with_rotation(source, target, degrees):
    """A copy whose video track says that it is shown turned: the matrix of the mp4's track header, set by hand."""
    content = bytearray(source.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # version 0: behind times, layer, group and volume
    cos, sin = {90: (0, 1), 180: (-1, 0)}[degrees]
    unit = 1 << 16
    matrix = (cos * unit, -sin * unit, 0, sin * unit, cos * unit, 0, 0, 0, 1 << 30)
    content[place : place + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    target.write_bytes(content)
    return target


def test_what_is_no_film_is_refused(tmp_path):
    (tmp_path / "notes.mp4").write_text("no film")
    with pytest.raises(SadTalkerError, match="cannot be read as a video or a picture"):
        next(read_pictures(tmp_path / "notes.mp4"))
    with pytest.raises(SadTalkerError, match="cannot be read as a picture"):
        read_picture(tmp_path / "none.png")


def test_sound_alone_has_no_pictures(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SadTalkerError, match="only sound"):
        next(read_pictures(tmp_path / "a.wav"))


def test_written_and_read_again(tmp_path):
    pictures = torch.zeros(5, 3, 32, 64)
    pictures[:, 1, :, :32] = 1
    write_video(tmp_path / "a.mp4", pictures, 25.0, torch.zeros(1, 16_000), 16_000)
    frames = torch.stack(list(read_pictures(tmp_path / "a.mp4")))
    assert frames.shape == pictures.shape
    assert (frames - pictures).abs()[..., :28].max() < 0.1
