"""The mark in files, and the command that looks for it."""

import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.finish.watermark.__main__ import main
from sadtalker_pack.sadtalker_core.finish.watermark.files import detect_in_file
from sadtalker_pack.sadtalker_core.finish.watermark.invisible import mark_
from sadtalker_pack.sadtalker_core.pictures.video import read_pictures
from skimage import data

ROOT = Path(__file__).resolve().parents[4]
MESSAGE = "Take 7-b"


def levels(frames):
    return (frames * 255).round().byte().permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def marked(portrait):
    return mark_(portrait.clone(), MESSAGE)


@pytest.fixture(scope="module")
def video(tmp_path_factory, marked):
    """Three equal frames, as mp4."""
    path = tmp_path_factory.mktemp("video") / "marked.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = *marked.shape[2:], "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(levels(marked)[0]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def picture_file(folder, frames, name, **options):
    path = folder / name
    Image.fromarray(levels(frames)[0]).save(path, **options)
    return path


def sound_file(folder):
    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    return path


def test_frames_are_those_of_the_file(tmp_path, marked):
    (frame,) = read_pictures(picture_file(tmp_path, marked, "exact.png"))
    torch.testing.assert_close(frame, marked[0], atol=0.5 / 255 + 1e-6, rtol=0)


def test_a_video(video):
    assert detect_in_file(video).message == MESSAGE
    assert detect_in_file(video, frames=1).message == MESSAGE


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.jpg", {"quality": 75}), ("a.webp", {"quality": 80})])
def test_pictures(tmp_path, marked, name, options):
    assert detect_in_file(picture_file(tmp_path, marked, name, **options)).message == MESSAGE


def test_what_is_no_video_is_named(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(SadTalkerError, match=r"notes\.mp4 cannot be read as a video"):
        detect_in_file(text)
    with pytest.raises(SadTalkerError, match=r"gone\.mp4 cannot be read as a video"):
        detect_in_file(tmp_path / "gone.mp4")
    with pytest.raises(SadTalkerError, match="only sound"):
        detect_in_file(sound_file(tmp_path))


class TestCommand:
    def test_says_what_it_found_and_where(self, tmp_path, video, portrait, capsys):
        plain, gone = picture_file(tmp_path, portrait, "plain.png"), tmp_path / "gone.mp4"
        assert main(["detect", str(video)]) == 0
        assert f"{video}: mark found that says '{MESSAGE}'" in capsys.readouterr().out
        assert main(["detect", str(video), str(plain)]) == 1
        assert f"{plain}: no mark found" in capsys.readouterr().out
        assert main(["detect", str(gone), str(video)]) == 2
        shown = capsys.readouterr()
        assert str(gone) in shown.err
        assert str(video) in shown.out

    @pytest.mark.parametrize("count", ["0", "many"])
    def test_a_wrong_number_of_frames_is_refused(self, video, count, capsys):
        with pytest.raises(SystemExit):
            main(["detect", "--frames", count, str(video)])
        assert f"got '{count}'" in capsys.readouterr().err

    def test_runs_as_documented(self, video):
        command = [sys.executable, "-m", "sadtalker_core.finish.watermark", "detect", str(video)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert MESSAGE in done.stdout
