"""Bad and unusual pictures and recordings: usable ones are used, the others get an error that says what to do.

What only the node layer sees (channels, bit depths, batches) is tested there.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
from sadtalker_pack.sadtalker_core.errors import AudioError, FaceNotFoundError, SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.landmarks import FaceDetection, FaceLandmarks
from sadtalker_pack.sadtalker_core.face.morphable import from_picture_frame, pose_points
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from torch.nn import functional as F

DEMO = OPEN_ASSETS.parent / "demo"
SILENCE = -4.0
"""mel value of digital silence"""


def resized(picture, height, width):
    return F.interpolate(picture[None], (height, width), mode="bilinear", antialias=True, align_corners=False)[0]


def refusal(pack, picture, **options) -> str:
    with pytest.raises(FaceNotFoundError) as caught:
        extract_face(pack.landmarker, pack.extractor, picture, **options)
    return str(caught.value)


@pytest.fixture(scope="module")
def two_people(demo_picture):
    """The portrait on the right, and at half its size on the left."""
    picture = torch.full((3, 600, 768), 0.5)
    picture[:, 200:500, :256] = resized(demo_picture, 300, 256)
    picture[:, :, 256:] = demo_picture
    return picture


class TestNoFace:
    @pytest.mark.parametrize("kind", ["grey", "noise"])
    def test_says_so_and_what_helps(self, pack, kind):
        noise = torch.rand(3, 300, 400)
        pictures = {"grey": torch.full_like(noise, 0.5), "noise": noise}
        message = refusal(pack, pictures[kind])
        assert "No face was found in the 400x300 picture" in message
        assert "Use a portrait that shows the whole face from the front" in message

    def test_a_face_beyond_recognition_is_none(self, pack, demo_picture):
        blurred = resized(resized(demo_picture, 10, 8), 600, 512)
        assert "No face was found in the 512x600 picture" in refusal(pack, blurred)


class TestSeveralFaces:
    def test_the_largest_is_the_default(self, pack, two_people):
        face = extract_face(pack.landmarker, pack.extractor, two_people)
        assert face.crop.right > 256 + 256
        assert face.crop.right - face.crop.left > 300

    def test_an_index_chooses(self, pack, two_people):
        face = extract_face(pack.landmarker, pack.extractor, two_people, face_index=1)
        assert face.crop.left < 128
        assert face.crop.right - face.crop.left < 260

    @pytest.mark.parametrize("index", [2, -1])
    def test_an_index_out_of_range_says_how_many_there_are(self, pack, two_people, index):
        message = refusal(pack, two_people, face_index=index)
        assert "The picture shows 2 face(s)" in message
        assert f"face_index must lie in 0..1 (0 is the largest); got {index}" in message


class TestCutFace:
    @pytest.mark.parametrize(
        ("cut", "size"),
        [
            (np.s_[:, :, 258:], "254x600"),  # the right half of the face
            (np.s_[:, :270, :], "512x270"),  # above the mouth
        ],
    )
    def test_says_how_much_is_missing(self, pack, demo_picture, cut, size):
        message = refusal(pack, demo_picture[cut])
        assert f"The face is cut by the border of the {size} picture" in message
        assert "% of it lies outside" in message
        assert "some room around the face" in message

    def test_hair_and_chin_close_to_the_border_are_fine(self, pack, demo_picture):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture[:, 100:360, 140:390])
        assert (face.crop.right - face.crop.left, face.crop.bottom - face.crop.top) == (250, 260)


class TestProfile:
    """No profile portrait is free to ship: the points of a turned head come from the 3DMM instead."""

    @pytest.mark.parametrize("degrees", [-60, 55])
    def test_says_how_far_the_head_is_turned(self, pack, degrees):
        message = refusal(turned(pack, degrees), torch.rand(3, 600, 600))
        stated = int(message.split("turned ")[1].split(" degrees")[0])
        assert abs(stated - abs(degrees)) <= 3
        assert "at most 40 can be animated" in message
        assert "both eyes and both mouth corners" in message

    @pytest.mark.parametrize("degrees", [-30, 0, 30])
    def test_a_half_turned_head_is_accepted(self, pack, degrees):
        face = extract_face(turned(pack, degrees).landmarker, turned(pack, degrees).extractor, torch.rand(3, 600, 600))
        assert math.degrees(float(face.coefficients.pose[0, 1])) == pytest.approx(degrees, abs=3)


class TestPictureSizes:
    def test_32_pixels_are_too_few(self, pack, demo_picture):
        message = refusal(pack, resized(demo_picture[:, :512], 32, 32))
        assert "32x32" in message
        assert "too small" in message or "No face was found" in message

    def test_a_small_face_says_how_large_it_must_be(self, pack, demo_picture):
        message = refusal(pack, resized(demo_picture[:, 60:420, 90:450], 40, 40))
        assert "The face is too small" in message
        assert "at least 16 are needed" in message
        assert "Use a larger picture than 40x40" in message

    def test_128_pixels_are_enough(self, pack, demo_picture):
        assert extract_face(
            pack.landmarker, pack.extractor, resized(demo_picture[:, 40:440, 60:460], 128, 128)
        ).cropped.shape[1:] == (512, 512)

    def test_8000_pixels_are_not_too_many(self, pack, demo_picture):
        wide = torch.full((3, 2400, 8000), 0.5)
        wide[:, :, 5000:7048] = resized(demo_picture, 2400, 2048)
        face = extract_face(pack.landmarker, pack.extractor, wide)
        assert 5800 < (face.crop.left + face.crop.right) / 2 < 6300
        assert face.cropped.shape == (3, 512, 512)

    def test_one_pixel_is_no_face(self, pack):
        assert "1x1 picture" in refusal(pack, torch.rand(3, 1, 1))

    def test_other_axes_are_named(self, pack):
        with pytest.raises(ShapeError, match=r"expected shape \(3, H, W\), got \(300, 400, 3\)"):
            extract_face(pack.landmarker, pack.extractor, torch.rand(300, 400, 3))


class TestSound:
    def test_silence_is_speech_without_sound(self):
        mel = mel_windows(mono_waveform(torch.zeros(1, 32_000), 16_000))
        assert len(mel) == 50
        assert (mel.windows == SILENCE).all()

    def test_50_milliseconds_make_one_frame(self):
        assert len(mel_windows(mono_waveform(torch.randn(1, 800), 16_000))) == 1

    def test_one_sample_makes_one_frame(self):
        assert len(mel_windows(mono_waveform(torch.ones(1, 1), 16_000))) == 1

    def test_stereo_becomes_the_mean_of_both_sides(self):
        left, right = 0.1 * torch.randn(2, 1600)
        mono = mono_waveform(torch.stack((left, right)), 16_000).samples
        assert torch.allclose(mono, (left + right) / 2)

    @pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
    def test_any_rate_becomes_16_khz(self, rate):
        seconds, hertz = 2, 440
        tone = 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(seconds * rate) / rate)
        waveform = mono_waveform(tone[None], rate)
        assert abs(waveform.samples.shape[0] - seconds * 16_000) <= 1
        assert len(mel_windows(waveform)) in (49, 50)
        spectrum = torch.fft.rfft(waveform.samples).abs()
        assert spectrum.argmax() * 16_000 / waveform.samples.shape[0] == pytest.approx(hertz, abs=1)
        assert waveform.samples[1000:-1000].abs().max() == pytest.approx(0.5, abs=0.02)

    def test_the_demo_speech_sounds_the_same_at_96_khz(self):
        samples, rate = soundfile.read(str(DEMO / "speech.wav"), dtype="float32")
        speech = torch.from_numpy(samples[: 2 * rate])[None]
        four_times = F.interpolate(speech[None], scale_factor=4, mode="linear", align_corners=False)[0]
        usual = mel_windows(mono_waveform(speech, rate)).windows
        fine = mel_windows(mono_waveform(four_times, 4 * rate)).windows
        assert (usual - fine).abs().mean() < 0.1


class TestBadSound:
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_samples_that_are_no_numbers(self, value):
        samples = torch.zeros(2, 1600)
        samples[1, 800] = value
        message = refused_sound(samples, 16_000)
        assert "NaN or infinite samples" in message
        assert "Decode or export it again" in message

    def test_no_samples(self):
        assert "The audio is empty: got 2 channels of 0 samples" in refused_sound(torch.zeros(2, 0), 16_000)

    @pytest.mark.parametrize("rate", [0, -16_000])
    def test_impossible_rates(self, rate):
        message = refused_sound(torch.zeros(1, 1600), rate)
        assert f"must be a positive number of samples a second, got {rate}" in message

    def test_impossible_frame_rates(self):
        with pytest.raises(SadTalkerError, match="frame rate"):
            mel_windows(mono_waveform(torch.zeros(1, 1600), 16_000), 0.0)


def refused_sound(samples, rate) -> str:
    with pytest.raises(AudioError) as caught:
        mono_waveform(samples, rate)
    return str(caught.value)


class TurnedHead(torch.nn.Module):
    """Stands where the landmarker does, and reports the 3DMM's mean head at a chosen yaw."""

    def __init__(self, points):
        super().__init__()
        self.points = points

    def detect(self, picture):
        low, high = self.points[:, :2].amin(0), self.points[:, :2].amax(0)
        return (FaceDetection(torch.cat((low, high)), self.points[:6, :2], 0.9),)

    def landmarks(self, picture, detection):
        return FaceLandmarks(self.points, 0.99)


def turned(pack, degrees):
    """The pack with a landmarker that sees a head turned by ``degrees`` in a picture of 600 x 600 pixels."""
    pose = torch.zeros(1, 6)
    pose[0, 1] = math.radians(degrees)
    points = from_picture_frame(pose_points(pack.extractor.model.mean[None], pose, torch.tensor([150.0])), 600, 600)
    return replace(pack, landmarker=TurnedHead(points[0]))
