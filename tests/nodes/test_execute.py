"""Every stage with the open pack, on the demo portrait and speech."""

from __future__ import annotations

from dataclasses import replace

import comfy.utils
import pytest
import soundfile
import torch
from comfy import model_management
from sadtalker_pack.sadtalker_core.errors import AudioError, BasisMismatchError, FaceNotFoundError, SadTalkerError
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
SECONDS = 1.5
SIZE = 256


@pytest.fixture(scope="module")
def audio():
    samples, rate = soundfile.read(DEMO / "speech.wav", dtype="float32", always_2d=True)
    return {"waveform": torch.from_numpy(samples[: int(SECONDS * rate)].T.copy())[None], "sample_rate": rate}


@pytest.fixture(scope="module")
def face_and_crop(pack, image):
    return run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="crop", size=SIZE, face_index=0)


@pytest.fixture(scope="module")
def face(face_and_crop):
    return face_and_crop[0]


def expression_track(pack, mel, face, blink=None, expression_scale=1.0):
    return run_node("SadTalkerExpNet", pack=pack, mel=mel, face=face, blink=blink, expression_scale=expression_scale)[0]


def pose_track(pack, mel, face, style=0, seed=0, pose_scale=1.0):
    return run_node("SadTalkerPoseVAE", pack=pack, mel=mel, face=face, style=style, seed=seed, pose_scale=pose_scale)[0]


def coefficients(pack, mel, face, seed=0):
    blink = run_node("SadTalkerBlink", mel=mel, rate=17.0, seed=seed)[0]
    expression = expression_track(pack, mel, face, blink)
    pose = pose_track(pack, mel, face, seed=seed)
    return run_node("SadTalkerCombineCoefficients", expression=expression, pose=pose)[0]


@pytest.fixture(scope="module")
def keypoints(pack, mel, face):
    return run_node("SadTalkerMappingNet", pack=pack, face=face, coefficients=coefficients(pack, mel, face))[0]


@pytest.fixture(scope="module")
def rendered(pack, face, keypoints):
    return run_node("SadTalkerFaceRender", pack=pack, face=face, keypoints=keypoints, batch_size=4)


class TestStages:
    def test_portrait(self, face_and_crop):
        face, crop = face_and_crop
        assert crop.shape == (1, face.crop.height, face.crop.width, 3)
        assert max(crop.shape[1:3]) == SIZE
        assert torch.equal(crop[0].permute(2, 0, 1), face.cropped)

    def test_mel(self, mel):
        assert len(mel) == int(SECONDS * 25)
        assert mel.fps == 25.0

    def test_expression(self, pack, mel, face):
        track = expression_track(pack, mel, face)
        assert track.expression.shape == (len(mel), 64)
        assert track.pose is None
        assert float(track.expression.std(0).max()) > 0

    def test_expression_scale_nought_keeps_the_face(self, pack, mel, face):
        track = expression_track(pack, mel, face, expression_scale=0.0)
        assert torch.equal(track.expression, face.coefficients.expression.expand(len(mel), -1))

    def test_blink_moves_the_expression(self, pack, mel, face):
        blink = run_node("SadTalkerBlink", mel=mel, rate=60.0, seed=1)[0]
        closed = replace(blink, closure=torch.ones_like(blink.closure))
        assert not torch.equal(
            expression_track(pack, mel, face, closed).expression, expression_track(pack, mel, face).expression
        )

    def test_pose(self, pack, mel, face):
        track = pose_track(pack, mel, face)
        assert track.pose.shape == (len(mel), 6)
        assert track.expression is None

    def test_pose_scale_nought_holds_the_head(self, pack, mel, face):
        track = pose_track(pack, mel, face, pose_scale=0.0)
        assert torch.equal(track.pose, face.coefficients.pose.expand(len(mel), -1))

    def test_blink_rate_nought_is_none(self, mel):
        assert float(run_node("SadTalkerBlink", mel=mel, rate=0.0, seed=0)[0].closure.abs().max()) == 0

    def test_keypoints(self, keypoints, mel):
        assert keypoints.driving.shape == (len(mel), 478, 3)

    def test_frames(self, rendered, face, mel):
        frames, fps = rendered
        assert frames.shape == (len(mel), face.crop.height, face.crop.width, 3)
        assert fps == 25.0
        assert 0 <= float(frames.min()) <= float(frames.max()) <= 1
        assert float((frames[1:] - frames[:-1]).abs().max()) > 0.01

    def test_frames_do_not_depend_on_the_batch(self, pack, face, keypoints, rendered):
        others = run_node("SadTalkerFaceRender", pack=pack, face=face, keypoints=keypoints, batch_size=5)[0]
        torch.testing.assert_close(others, rendered[0], atol=1e-4, rtol=0)


class TestSeed:
    def test_same_seed_same_tensors(self, pack, mel, face):
        first, second = (coefficients(pack, mel, face, seed=7) for _ in range(2))
        assert torch.equal(first.expression, second.expression)
        assert torch.equal(first.pose, second.pose)

    def test_another_seed_another_motion(self, pack, mel, face):
        assert not torch.equal(pose_track(pack, mel, face, seed=1).pose, pose_track(pack, mel, face, seed=2).pose)

    def test_original_blinks_are_those_of_the_reference(self, mel):
        blink = run_node("SadTalkerBlink", mel=mel, rate=0.0, seed=5, pattern="original")[0]
        again = run_node("SadTalkerBlink", mel=mel, rate=60.0, seed=5, pattern="original")[0]
        assert torch.equal(blink.closure, again.closure)
        assert set(blink.closure.tolist()) == {0.0, 0.5, float(torch.tensor(0.9)), 1.0}

    def test_largest_seed_of_the_web_page(self, pack, mel, face):
        run_node("SadTalkerBlink", mel=mel, rate=17.0, seed=2**64 - 1)
        pose_track(pack, mel, face, seed=2**64 - 1)


class TestTalkingHead:
    OPTIONS = {
        "framing": "crop",
        "size": SIZE,
        "fps": 25.0,
        "style": 0,
        "seed": 0,
        "expression_scale": 1.0,
        "pose_scale": 1.0,
        "blink": True,
        "still": False,
        "face_index": 0,
    }

    def run(self, image, audio, **changes):
        return run_node("SadTalkerTalkingHead", image=image, audio=audio, **{**self.OPTIONS, **changes})[0]

    def test_same_frames_as_the_stages(self, image, audio, rendered):
        video = self.run(image, audio, watermark=False).get_components()
        torch.testing.assert_close(video.images, rendered[0], atol=1e-4, rtol=0)
        assert float(video.frame_rate) == 25.0
        assert torch.equal(video.audio["waveform"], audio["waveform"])

    def test_pack_input(self, image, audio, pack, rendered):
        video = self.run(image, audio, pack=pack, fps=5.0).get_components()
        assert video.images.shape[0] == int(SECONDS * 5)

    def test_progress_counts_all_frames(self, image, audio, monkeypatch):
        steps = []
        monkeypatch.setattr(
            comfy.utils, "PROGRESS_BAR_HOOK", lambda done, total, preview, node_id=None: steps.append((done, total))
        )
        frames = len(self.run(image, audio, pose_scale=0.5).get_components().images)
        assert steps[-1][0] == steps[-1][1]
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert steps[-1][1] >= frames

    @pytest.mark.parametrize("seconds", [0.05, 0.02])
    def test_very_short_speech_is_one_frame(self, image, audio, seconds):
        short = {**audio, "waveform": audio["waveform"][..., : int(seconds * audio["sample_rate"])]}
        video = self.run(image, short)
        assert video.get_components().images.shape[0] == 1

    def test_full_picture_of_odd_size_is_rendered_even(self, image, audio):
        odd = torch.nn.functional.interpolate(image.permute(0, 3, 1, 2), (421, 333)).permute(0, 2, 3, 1)
        video = self.run(odd, {**audio, "waveform": audio["waveform"][..., :8000]}, framing="full", size=512)
        assert all(length % 2 == 0 for length in video.get_dimensions())


class TestCancel:
    @pytest.fixture
    def cancel_at_once(self):
        model_management.interrupt_current_processing()
        yield
        model_management.interrupt_current_processing(False)

    def test_face_render(self, pack, face, keypoints, cancel_at_once):
        with pytest.raises(model_management.InterruptProcessingException):
            run_node("SadTalkerFaceRender", pack=pack, face=face, keypoints=keypoints, batch_size=2)

    def test_expnet(self, pack, mel, face, cancel_at_once):
        with pytest.raises(model_management.InterruptProcessingException):
            expression_track(pack, mel, face)

    def test_talking_head(self, image, audio, cancel_at_once):
        with pytest.raises(model_management.InterruptProcessingException):
            TestTalkingHead().run(image, audio)


class TestUnusualPictures:
    def extract(self, pack, image):
        return run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="crop", size=SIZE, face_index=0)[0]

    def test_grey(self, pack, image, face):
        found = self.extract(pack, image.mean(3, keepdim=True))
        assert float((found.landmarks - face.landmarks).abs().mean()) < 3

    def test_sixteen_bits(self, pack, image, face):
        found = self.extract(pack, (image * 65_535).round().to(torch.uint16))
        torch.testing.assert_close(found.landmarks, face.landmarks, atol=0.2, rtol=0)

    def test_transparent_background(self, pack, image, face):
        alpha = torch.zeros_like(image[..., :1])
        left, top, right, bottom = face.crop.left, face.crop.top, face.crop.right, face.crop.bottom
        alpha[:, top:bottom, left:right] = 1
        found = self.extract(pack, torch.cat((image, alpha), 3))
        assert float((found.landmarks - face.landmarks).abs().mean()) < 5

    def test_tiny(self, pack, image):
        tiny = torch.nn.functional.interpolate(image.permute(0, 3, 1, 2), (32, 32), mode="area").permute(0, 2, 3, 1)
        with pytest.raises(FaceNotFoundError, match="32x32"):
            self.extract(pack, tiny)


class TestBadInput:
    def test_no_face(self, pack):
        noise = torch.rand(1, 300, 300, 3)
        with pytest.raises(FaceNotFoundError, match="No face was found in the 300x300 picture"):
            run_node("SadTalkerExtract3DMM", pack=pack, image=noise, framing="crop", size=SIZE, face_index=0)

    def test_face_index_beyond_the_faces(self, pack, image):
        with pytest.raises(FaceNotFoundError, match="face_index"):
            run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="crop", size=SIZE, face_index=5)

    def test_batch_of_pictures(self, pack, image):
        with pytest.raises(SadTalkerError, match="batch of 2"):
            run_node(
                "SadTalkerExtract3DMM",
                pack=pack,
                image=image.expand(2, -1, -1, -1),
                framing="crop",
                size=SIZE,
                face_index=0,
            )

    @pytest.mark.parametrize("make", [lambda wave: wave / 0, lambda wave: wave[..., :0]])
    def test_unusable_audio(self, audio, make):
        with pytest.raises(AudioError):
            run_node("SadTalkerAudioToMel", audio={**audio, "waveform": make(audio["waveform"])}, fps=25.0)

    def test_batch_of_audio(self, audio):
        batch = {**audio, "waveform": audio["waveform"].expand(3, -1, -1)}
        with pytest.raises(AudioError, match="batch of 3"):
            run_node("SadTalkerAudioToMel", audio=batch, fps=25.0)

    def test_silence_is_fine(self, pack, face):
        silent = {"waveform": torch.zeros(1, 2, 48_000), "sample_rate": 48_000}
        mel = run_node("SadTalkerAudioToMel", audio=silent, fps=25.0)[0]
        assert len(expression_track(pack, mel, face)) == 25

    def test_style_that_the_pack_lacks(self, pack, mel, face):
        with pytest.raises(SadTalkerError, match="style"):
            pose_track(pack, mel, face, style=pack.core.styles)

    @pytest.mark.parametrize("stage", [expression_track, pose_track])
    def test_face_of_another_pack(self, pack, mel, face, stage):
        foreign = replace(face, basis="bfm09")
        with pytest.raises(BasisMismatchError, match="bfm09"):
            stage(pack, mel, foreign)

    def test_tracks_of_different_speech(self, pack, mel, face, audio):
        slower = run_node("SadTalkerAudioToMel", audio=audio, fps=10.0)[0]
        with pytest.raises(SadTalkerError, match="Audio to Mel"):
            run_node(
                "SadTalkerCombineCoefficients",
                expression=expression_track(pack, mel, face),
                pose=pose_track(pack, slower, face),
            )


class TestPasteBack:
    def paste(self, face, frames):
        return run_node("SadTalkerPasteBack", face=face, frames=frames)

    def test_the_picture_around_the_face_stays(self, face, image, rendered):
        pasted, mask = self.paste(face, rendered[0])
        height, width = (length // 2 * 2 for length in image.shape[1:3])
        assert pasted.shape == (len(rendered[0]), height, width, 3)
        assert mask.shape == (1, height, width)
        around = mask[0] == 0
        assert 0 < around.float().mean() < 1
        assert (pasted[:, around] - image[0, :height, :width][around]).abs().max() < 1e-6
        assert (pasted[0] - pasted[-1])[~around].abs().max() > 0.05

    def test_frames_of_the_whole_picture_pass_through(self, pack, image):
        whole = run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="full", size=SIZE, face_index=0)[0]
        frames = torch.rand(2, whole.crop.height, whole.crop.width, 3)
        pasted, mask = self.paste(whole, frames)
        assert torch.equal(pasted, frames)
        assert mask.shape == (1, whole.crop.height, whole.crop.width)

    @pytest.mark.parametrize("shape", [(2, 64, 64, 1), (0, 64, 64, 3), (64, 64, 3)])
    def test_what_is_no_clip_is_named(self, face, shape):
        with pytest.raises(SadTalkerError, match="Expected an IMAGE of shape"):
            self.paste(face, torch.zeros(shape))
