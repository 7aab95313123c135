"""Several faces in one picture, faces given by hand, frames pasted into others and cut out."""

from __future__ import annotations

import pytest
import soundfile
import torch
from sadtalker_pack.nodes.convert import mixed_audio
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.regions import FIVE_POINTS
from sadtalker_pack.tests.nodes.comfy_host import ROOT, core_nodes, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
SIZE = 256


@pytest.fixture(scope="module")
def couple(image):
    return torch.cat((image, image.flip(2)), 2)


@pytest.fixture(scope="module")
def audio():
    samples, rate = soundfile.read(DEMO / "speech.wav", dtype="float32", always_2d=True)
    return {"waveform": torch.from_numpy(samples[4000 : 4000 + rate // 2].T.copy())[None], "sample_rate": rate}


def extract(pack, image, **changes):
    inputs = {"framing": "crop", "size": SIZE, "face_index": 0, **changes}
    return run_node("SadTalkerExtract3DMM", pack=pack, image=image, **inputs)[0]


def in_picture(face):
    return face.landmarks[:, :2] / torch.tensor(face.crop.scale) + torch.tensor((face.crop.left, face.crop.top))


def components(video):
    return video.get_components()


class TestTalkingFaces:
    OPTIONS = {
        "face_order": "left to right",
        "size": SIZE,
        "fps": 25.0,
        "style": 0,
        "seed": 0,
        "expression_scale": 1.0,
        "pose_scale": 1.0,
        "blink": True,
        "still": False,
    }

    def speak(self, couple, audio, **changes):
        inputs = {**self.OPTIONS, **changes}
        return components(run_node("SadTalkerTalkingFaces", image=couple, audio_1=audio, **inputs)[0])

    def test_both_speak(self, couple, audio):
        video = self.speak(couple, audio, audio_2=audio)
        assert video.images.shape == (12, 150, 256, 3)
        for half in video.images.chunk(2, 2):
            assert float((half[1:] - half[:-1]).abs().mean()) > 1e-3

    def test_the_sound_is_both_recordings_together(self, couple, audio):
        longer = {**audio, "waveform": audio["waveform"].repeat(1, 2, 2)}
        video = self.speak(couple, audio, audio_2=longer)
        assert len(video.images) == 25
        count = audio["waveform"].shape[2]
        together = video.audio["waveform"][0, 0]
        assert len(together) == 2 * count
        torch.testing.assert_close(together[:count], 2 * together[count:], atol=1e-4, rtol=0)

    def test_own_size_is_the_picture_s(self, couple, audio):
        short = {**audio, "waveform": audio["waveform"][..., :2400]}
        assert self.speak(couple, short, size=0).images.shape[1:] == (600, 1024, 3)

    def test_more_recordings_than_faces_are_named(self, couple, audio):
        with pytest.raises(FaceNotFoundError, match="a recording for face 4"):
            self.speak(couple, audio, audio_4=audio)


def test_mixed_recordings_of_different_rates():
    one = {"waveform": torch.full((1, 2, 800), 0.9), "sample_rate": 8000}
    two = {"waveform": torch.full((1, 1, 3200), 0.4), "sample_rate": 16000}
    mixed = mixed_audio([one, None, two])
    assert mixed["sample_rate"] == 16000
    samples = mixed["waveform"][0, 0]
    assert len(samples) == 3200
    assert samples.abs().max() == 1
    assert float(samples[800]) == pytest.approx(1, abs=0.1)
    assert float(samples[2400]) == pytest.approx(0.4 / 1.3, abs=0.03)


class TestChosenFace:
    def test_from_the_left(self, pack, couple):
        left = in_picture(extract(pack, couple, face_order="left to right"))
        right = in_picture(extract(pack, couple, face_order="left to right", face_index=1))
        assert left[:, 0].mean() < 512 < right[:, 0].mean()

    def test_by_a_mask(self, pack, couple):
        mask = torch.zeros(1, 600, 1024)
        mask[0, 150:300, 700:850] = 1
        assert in_picture(extract(pack, couple, region=mask))[:, 0].mean() > 512

    def test_by_points(self, pack, couple):
        found = in_picture(extract(pack, couple, face_order="left to right", face_index=1))
        points = torch.stack([found[list(part)].mean(0) for part in FIVE_POINTS])
        text = ", ".join(f"{x:.1f} {y:.1f}" for x, y in points.tolist())
        given = in_picture(extract(pack, couple, points=text))
        assert (given - found).norm(dim=1).mean() < 0.04 * (found[33] - found[263]).norm()

    def test_by_points_with_the_official_extractor(self, official_pack, image):
        face = extract(official_pack, image, points="190 178 262 180 226 215 200 245 256 246", framing="full")
        assert face.basis == "bfm09"

    def test_a_mask_of_another_size_is_named(self, pack, image):
        with pytest.raises(SadTalkerError, match=r"picture's size, 512x600 pixels; got the shape \(1, 64, 64\)"):
            extract(pack, image, region=torch.ones(1, 64, 64))

    def test_two_masks_are_named(self, pack, image):
        with pytest.raises(SadTalkerError, match="one mask, got a batch of 2"):
            extract(pack, image, region=torch.ones(2, 600, 512))

    def test_words_in_place_of_points_are_named(self, pack, image):
        with pytest.raises(SadTalkerError, match="10 or 136 numbers; got 0"):
            extract(pack, image, points="left eye")

    def test_own_size(self, pack, official_pack, image):
        for each in (pack, official_pack):
            crop = extract(each, image, size=0).crop
            assert abs(crop.width - (crop.right - crop.left)) <= 1
            assert abs(crop.height - (crop.bottom - crop.top)) <= 1


class TestPasteBack:
    def paste(self, face, frames, **inputs):
        return run_node("SadTalkerPasteBack", face=face, frames=frames, **inputs)

    def test_one_after_the_other(self, official_pack, couple):
        order = {"framing": "full", "face_order": "left to right"}
        faces = [extract(official_pack, couple, face_index=index, **order) for index in (0, 1)]
        frames = [torch.rand(3 + 2 * i, face.crop.height, face.crop.width, 3) for i, face in enumerate(faces)]
        first, _ = self.paste(faces[0], frames[0], moves_surroundings=False)
        both, mask = self.paste(faces[1], frames[1], background=first, moves_surroundings=False)
        assert both.shape == (5, 600, 1024, 3)
        torch.testing.assert_close(both[:3, :, :300], first[:, :, :300])
        torch.testing.assert_close(both[4, :, :300], first[2, :, :300])
        assert mask[0, :, :512].sum() < mask[0, :, 512:].sum()

    def test_only_under_the_mask(self, official_pack, image):
        face = extract(official_pack, image, framing="full")
        mask = torch.zeros(600, 512)
        mask[200:300, 180:280] = 1
        pasted, where = self.paste(face, torch.rand(2, face.crop.height, face.crop.width, 3), mask=mask)
        outside = mask == 0
        torch.testing.assert_close(pasted[:, outside], image[:, outside].expand(2, -1, -1))
        assert where[0][outside].max() == 0

    def test_whole_pictures_through_a_mask(self, pack, image):
        face = extract(pack, image, framing="full")
        mask = torch.zeros(1, 600, 512)
        mask[..., :256] = 1
        frames = torch.ones(2, face.crop.height, face.crop.width, 3)
        shown, where = self.paste(face, frames, mask=mask)
        assert shown.shape == frames.shape
        assert shown[:, :, : face.crop.width // 2 - 2].min() > 0.999
        assert shown[:, :, face.crop.width // 2 + 2 :].mean() < 0.8
        assert where.shape == (1, *frames.shape[1:3])


class TestCutOut:
    def test_joined_with_alpha_the_background_is_transparent(self, pack, image):
        face = extract(pack, image)
        frames = face.cropped.permute(1, 2, 0).expand(2, -1, -1, -1)
        cut, mask = run_node("SadTalkerCutOut", face=face, frames=frames)
        assert cut.shape == (2, SIZE, SIZE, 3)
        assert mask.shape == (2, SIZE, SIZE)
        inverted = core_nodes()["InvertMask"]().invert(mask)[0]
        joined = core_nodes()["JoinImageWithAlpha"].execute(cut, inverted).args[0]
        torch.testing.assert_close(joined[..., 3], mask)
        x, y = face.landmarks[1, :2].int().tolist()
        assert joined[0, y, x, 3] > 0.999

    def test_background(self, pack, image):
        face = extract(pack, image)
        frames = face.cropped.permute(1, 2, 0)[None]
        green = torch.tensor([0.0, 1.0, 0.0]).expand(1, 30, 50, 3)
        laid, mask = run_node("SadTalkerCutOut", face=face, frames=frames, background=green)
        torch.testing.assert_close(laid[mask == 0], green[0, 0, :1].expand(int((mask == 0).sum()), -1))

    def test_a_mask_of_another_size_is_named(self, pack, image):
        face = extract(pack, image)
        with pytest.raises(SadTalkerError, match=r"512x600 pixels; got the shape \(1, 64, 64\)"):
            run_node("SadTalkerCutOut", face=face, frames=torch.rand(1, SIZE, SIZE, 3), person=torch.ones(1, 64, 64))
