"""IMAGE, AUDIO and VIDEO to core values and back, with the inputs people really connect."""

from __future__ import annotations

from fractions import Fraction

import av
import folder_paths
import numpy as np
import pytest
import torch
from PIL import Image
from sadtalker_pack.nodes.convert import (
    image_from_frames,
    picture_from_image,
    video_from_frames,
    waveform_from_audio,
)
from sadtalker_pack.sadtalker_core.errors import AudioError, SadTalkerError

import nodes as comfy_nodes


def audio_of(samples, rate=16_000):
    return {"waveform": samples, "sample_rate": rate}


def tone(seconds=1.0, rate=16_000, channels=1):
    wave = torch.sin(torch.arange(int(seconds * rate)) * (2 * torch.pi * 220 / rate)) * 0.5
    return wave.expand(1, channels, -1)


class TestPictureFromImage:
    def test_round_trip(self):
        image = torch.rand(1, 6, 8, 3)
        picture = picture_from_image(image)
        assert picture.shape == (3, 6, 8)
        assert torch.equal(image_from_frames(picture[None]), image)

    def test_colour_order_and_place(self):
        image = torch.zeros(1, 4, 5, 3)
        image[0, 1, 2] = torch.tensor([0.1, 0.2, 0.3])
        assert picture_from_image(image)[:, 1, 2].tolist() == pytest.approx([0.1, 0.2, 0.3])

    def test_grey(self):
        image = torch.rand(1, 6, 8, 1)
        assert torch.equal(picture_from_image(image), image[0].permute(2, 0, 1).expand(3, -1, -1))

    def test_transparent_parts_are_laid_over_white(self):
        image = torch.zeros(1, 2, 2, 4)
        image[0, 0, 0] = torch.tensor([1.0, 0.0, 0.0, 0.5])
        image[0, 1, 1, 3] = 1.0
        picture = picture_from_image(image)
        assert picture[:, 0, 0].tolist() == [1.0, 0.5, 0.5]
        assert picture[:, 0, 1].tolist() == [1.0, 1.0, 1.0]
        assert picture[:, 1, 1].tolist() == [0.0, 0.0, 0.0]

    def test_grey_with_transparency(self):
        image = torch.tensor([0.5, 0.5]).expand(1, 2, 2, 2)
        assert picture_from_image(image)[:, 0, 0].tolist() == [0.75] * 3

    @pytest.mark.parametrize(("dtype", "largest"), [(torch.uint8, 255), (torch.uint16, 65_535), (torch.int32, 65_535)])
    def test_integers(self, dtype, largest):
        image = torch.tensor([0, largest // 5, largest]).to(dtype).expand(1, 4, 4, 3)
        assert picture_from_image(image)[:, 0, 0].tolist() == pytest.approx([0.0, 0.2, 1.0])

    def test_half_precision(self):
        assert picture_from_image(torch.full((1, 4, 4, 3), 0.5, dtype=torch.float16)).dtype == torch.float32

    def test_overshoot_of_a_resampling_is_cut(self):
        image = torch.tensor([-0.1, 0.5, 1.2]).expand(1, 4, 4, 3)
        assert picture_from_image(image)[:, 0, 0].tolist() == [0.0, 0.5, 1.0]

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (torch.rand(3, 8, 8, 3), "got a batch of 3"),
            (torch.rand(0, 8, 8, 3), "got a batch of 0"),
            (torch.rand(8, 8, 3), r"got \(8, 8, 3\)"),
            (torch.rand(1, 3, 8, 8), r"got \(1, 3, 8, 8\)"),
            (torch.rand(1, 0, 8, 3), r"got \(1, 0, 8, 3\)"),
            (torch.rand(1, 8, 8, 3) * 255 + 3, r"numbers in 0\.\.1, got"),
            (torch.full((1, 8, 8, 3), torch.nan), r"numbers in 0\.\.1, got nan"),
            (torch.zeros(1, 8, 8, 3, dtype=torch.int64), "torch.int64"),
        ],
    )
    def test_exception(self, image, message):
        with pytest.raises(SadTalkerError, match=message):
            picture_from_image(image)

    def test_sixteen_bit_grey_file_which_load_image_turns_white(self, tmp_path, monkeypatch):
        path = tmp_path / "grey16.png"
        Image.fromarray(np.linspace(300, 65_535, 64 * 64).reshape(64, 64).astype(np.uint16)).save(path)
        monkeypatch.setattr(folder_paths, "get_annotated_filepath", lambda name: str(path))
        image, _ = comfy_nodes.LoadImage().load_image("grey16.png")
        with pytest.raises(SadTalkerError, match="16 bits"):
            picture_from_image(image)


class TestWaveformFromAudio:
    @pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 96_000])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_rates_and_channels(self, rate, channels):
        waveform = waveform_from_audio(audio_of(tone(0.5, rate, channels), rate))
        assert waveform.seconds == pytest.approx(0.5, abs=0.001)
        assert float(waveform.samples.abs().max()) == pytest.approx(0.5, abs=0.1)

    @pytest.mark.parametrize(
        ("audio", "message"),
        [
            (None, "no sound track"),
            (audio_of(tone().expand(2, -1, -1)), "got a batch of 2"),
            (audio_of(tone()[0]), "shape"),
            (audio_of(torch.zeros(1, 1, 0)), None),
            (audio_of(tone() / 0), None),
            (audio_of(tone(), 0), None),
        ],
    )
    def test_exception(self, audio, message):
        with pytest.raises(AudioError, match=message):
            waveform_from_audio(audio)


class TestVideoFromFrames:
    def test_components(self):
        frames, audio = torch.rand(5, 3, 8, 6), audio_of(tone(0.2))
        video = video_from_frames(frames, 25.0, audio)
        parts = video.get_components()
        assert torch.equal(parts.images, image_from_frames(frames))
        assert parts.images.is_contiguous()
        assert parts.frame_rate == Fraction(25)
        assert torch.equal(parts.audio["waveform"], audio["waveform"])

    def test_broken_frame_rate(self):
        video = video_from_frames(torch.rand(1, 3, 8, 6), 29.97, audio_of(tone()))
        assert video.get_components().frame_rate == Fraction(2997, 100)

    @pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2), (16_001, 1), (192_000, 2), (48_000, 6)])
    def test_any_sound_can_be_saved(self, tmp_path, rate, channels):
        video = video_from_frames(torch.rand(12, 3, 64, 48), 25.0, audio_of(tone(0.5, rate, channels), rate))
        path = str(tmp_path / "video.mp4")
        video.save_to(path)
        with av.open(path) as container:
            assert sum(1 for _ in container.decode(video=0)) == 12
            stream = container.streams.video[0].codec_context
            assert (stream.name, stream.width, stream.height) == ("h264", 48, 64)
            assert container.streams.audio[0].codec_context.name == "aac"
