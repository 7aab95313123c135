"""A video's face speaks another recording; the rest of the video stays what it was."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from sadtalker_pack.sadtalker_core.dub.survey import mouth_gap
from sadtalker_pack.sadtalker_core.dub_video import DubOptions, back_and_forth, dub, in_order
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.regions import (
    CHIN,
    INNER_LIPS,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from sadtalker_pack.sadtalker_core.face.tracking import track_landmarks
from sadtalker_pack.sadtalker_core.flow import Coefficients, Waveform
from sadtalker_pack.sadtalker_core.packs.official.dubber import NeuralDubber
from sadtalker_pack.sadtalker_core.packs.official.extractor import RegressorExtractor
from sadtalker_pack.sadtalker_core.packs.official.mapping import KeypointMapping
from sadtalker_pack.sadtalker_core.render.frames import render_frames
from sadtalker_pack.tests.support.audio_networks import rule_expnet
from sadtalker_pack.tests.support.official_networks import rule_mapping, rule_regressor
from sadtalker_pack.tests.support.render_networks import rule_keypoint_detector, rule_renderer

FPS, FRAMES = 25.0, 14


@pytest.fixture(scope="module")
def video(pack, demo_picture):
    """Frames (14, 3, 256, 256) of the demo portrait, who turns the head and opens the mouth as no speech does."""
    face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing="crop", size=256)
    own = face.coefficients
    time = torch.linspace(0, 1, FRAMES)[:, None]
    pose = own.pose + torch.cat((0.05 * time, 0.15 * time, 0.05 * time, torch.zeros(FRAMES, 3)), 1)
    drop = torch.zeros(1, 478, 3)
    drop[:, [*CHIN, *INNER_LIPS[11:], *OUTER_LIPS[11:]], 1] = -0.25
    opener = pack.extractor.model.project(drop)[0]
    swing = torch.sin(time * 2 * math.pi).square()
    track = Coefficients(pack.basis, FPS, own.expression + swing * opener, pose)
    frames = render_frames(pack.renderer, face, pack.mapping.keypoints(face, track))
    return (frames.contiguous() * 255).round() / 255


@pytest.fixture(scope="module")
def speech(demo_speech):
    return Waveform(demo_speech.samples[6400 : 6400 + int(FRAMES * 640)])


@pytest.fixture(scope="module")
def dubbed(pack, video, speech):
    return torch.stack(list(dub(pack, video, FPS, speech)))


@pytest.fixture(scope="module")
def gappy(video):
    frames = video[:8].clone()
    frames[[0, 5]] = torch.rand(3, 256, 256)
    return frames


@pytest.fixture(scope="module")
def couple(video):
    return torch.cat((video[:6], video[:6].flip(3)), 3)


@pytest.fixture(scope="module")
def official(pack):
    extractor = RegressorExtractor(256)
    extractor.regressor = rule_regressor()
    mapping = KeypointMapping(crop=rule_mapping("mapping_00229"), full=None)
    mapping.detector = rule_keypoint_detector()
    return replace(
        pack,
        name="official 256",
        basis="bfm09",
        extractor=extractor.eval(),
        expnet=rule_expnet(),
        mapping=mapping.eval(),
        renderer=rule_renderer(),
        scales_about_own=False,
        dubber=NeuralDubber,
        vertices=None,
    )


def silence(frames=FRAMES):
    return Waveform(torch.zeros(frames * 640))


def gaps(pack, frames):
    return torch.tensor([mouth_gap(points) for points in track_landmarks(pack.landmarker, frames).points])


class TestPicture:
    def test_upper_half_and_surroundings_are_the_video_bit_for_bit(self, pack, video, dubbed):
        points = track_landmarks(pack.landmarker, video).points
        for before, after, place in zip(video, dubbed, points, strict=True):
            lids, chin = int(place[[145, 374], 1].max()), float(place[152, 1])
            left, right = float(place[:, 0].min()), float(place[:, 0].max())
            margin = 0.12 * (right - left)
            assert torch.equal(before[:, : lids + 1], after[:, : lids + 1])
            assert torch.equal(before[:, :, : int(left - margin)], after[:, :, : int(left - margin)])
            assert torch.equal(before[:, :, int(right + margin) :], after[:, :, int(right + margin) :])
            below = int(chin + 0.25 * (right - left))
            assert torch.equal(before[:, below:], after[:, below:])
            assert (before - after).abs().max() > 0.1

    def test_head_and_eyes_stay(self, pack, video, dubbed):
        before, after = (track_landmarks(pack.landmarker, frames).points for frames in (video, dubbed))
        upper = [*LEFT_EYE, *RIGHT_EYE, *LEFT_IRIS, *RIGHT_IRIS, 10, 168, 6]
        eyes = (before[:, 33] - before[:, 263]).norm(dim=1).mean()
        assert (before - after)[:, upper, :2].norm(dim=2).mean() / eyes < 0.006

    def test_what_was_said_in_the_video_is_gone(self, pack, video):
        said = gaps(pack, video)
        shut = gaps(pack, torch.stack(list(dub(pack, video, FPS, silence()))))
        assert said.max() - said.min() > 0.15
        assert shut.max() - shut.min() < 0.04
        assert shut.max() < said.min() + 0.06

    def test_mouth_follows_the_speech(self, pack, video, speech, dubbed):
        still = torch.stack(list(dub(pack, video, FPS, speech, DubOptions(expression_scale=0.0))))
        assert gaps(pack, dubbed).std() > 3 * gaps(pack, still).std()

    def test_does_not_tremble(self, pack, video):
        """In silence, the head turning: neighbouring frames leave each other's path by little."""
        points = track_landmarks(pack.landmarker, torch.stack(list(dub(pack, video, FPS, silence())))).points
        lips = points[:, [0, 17, 61, 291, 152], :2]
        eyes = (points[:, 33] - points[:, 263]).norm(dim=1).mean()
        bend = lips[2:] - 2 * lips[1:-1] + lips[:-2]
        assert bend.norm(dim=2).mean() / eyes < 0.02

    @pytest.mark.parametrize("size", [(255, 256), (256, 255), (211, 255)])
    def test_odd_sides_become_even(self, pack, video, speech, size):
        frames = video[:2, :, -size[0] :, : size[1]]
        result = torch.stack(list(dub(pack, frames, FPS, Waveform(speech.samples[:1280]))))
        assert result.shape == (2, 3, size[0] // 2 * 2, size[1] // 2 * 2)


class TestLength:
    def test_speech_decides(self, pack, video, speech):
        short = Waveform(speech.samples[:3200])
        assert len(list(dub(pack, video, FPS, short))) == 5
        longer = list(dub(pack, video[:4], FPS, short))
        assert len(longer) == 5
        assert torch.equal(longer[4][:, :40], video[2][:, :40])  # it runs back

    def test_video_decides(self, pack, video, speech):
        short = Waveform(speech.samples[:3200])
        result = torch.stack(list(dub(pack, video[:10], FPS, short, DubOptions(length="video"))))
        assert len(result) == 10
        assert gaps(pack, result)[7:].max() < gaps(pack, video).min() + 0.06  # at rest when the speech has ended
        assert len(list(dub(pack, video[:3], FPS, short, DubOptions(length="video")))) == 3

    def test_one_frame(self, pack, video, speech):
        assert len(list(dub(pack, video[:1], FPS, Waveform(speech.samples[:2560])))) == 4

    @pytest.mark.parametrize("fps", [12.0, 29.97, 60.0])
    def test_rate_is_the_videos(self, pack, video, fps):
        result = list(dub(pack, video[:3], fps, Waveform(torch.zeros(4800)), DubOptions(length="speech")))
        assert len(result) == int(0.3 * fps)

    def test_back_and_forth(self):
        assert back_and_forth(4, 9) == [0, 1, 2, 3, 2, 1, 0, 1, 2]
        assert back_and_forth(1, 3) == [0, 0, 0]

    def test_frames_are_read_in_any_order_and_few_are_held(self, monkeypatch):
        frames = list(torch.arange(7.0)[:, None, None, None].expand(-1, 3, 2, 2))
        monkeypatch.setattr("sadtalker_pack.sadtalker_core.dub_video._HELD_BYTES", 2 * frames[0].nbytes)
        for order in (back_and_forth(7, 25), [0, 0, 0], [0]):
            assert [int(frame[0, 0, 0]) for frame in in_order(frames, order)] == order

    def test_video_is_not_held(self, pack, video):
        """Frames are drawn as they are asked for: the first is there before the last is read a second time."""
        reads = []

        class Watched:
            def __iter__(self):
                for index, frame in enumerate(video):
                    reads.append(index)
                    yield frame

        next(dub(pack, Watched(), FPS, silence()))
        assert len(reads) == FRAMES + 1


class TestFramesWithoutFace:
    def test_error(self, pack, gappy):
        with pytest.raises(FaceNotFoundError, match=r"frame 0 of the video \(0.00 s\)"):
            list(dub(pack, gappy, FPS, silence(8)))

    def test_skip(self, pack, gappy, speech):
        result = list(dub(pack, gappy, FPS, Waveform(speech.samples[:5120]), DubOptions(missing="skip")))
        same = [torch.equal(before, after) for before, after in zip(gappy, result, strict=True)]
        assert same == [True, False, False, False, False, True, False, False]

    def test_hold(self, pack, gappy, speech):
        result = list(dub(pack, gappy, FPS, Waveform(speech.samples[:5120]), DubOptions(missing="hold")))
        assert not any(torch.equal(before, after) for before, after in zip(gappy, result, strict=True))

    def test_none_at_all(self, pack):
        with pytest.raises(FaceNotFoundError, match="None of the 3 frames"):
            list(dub(pack, torch.rand(3, 3, 128, 128), FPS, silence(3)))


class TestWhichFace:
    def test_one_person_throughout(self, pack, couple, speech):
        changed = []
        for face_index in (0, 1):
            options = DubOptions(face_index=face_index)
            result = torch.stack(list(dub(pack, couple, FPS, Waveform(speech.samples[:3840]), options)))
            left, right = ((result - couple).abs().amax((1, 2)).reshape(6, 2, 256).amax(2) > 0.05).unbind(1)
            assert (left != right).all()
            assert left.all() or right.all()
            changed.append(bool(left.all()))
        assert changed[0] != changed[1]

    def test_no_such_face(self, pack, video):
        with pytest.raises(FaceNotFoundError, match="index 3"):
            list(dub(pack, video[:2], FPS, silence(2), DubOptions(face_index=3)))


class TestBadInput:
    @pytest.mark.parametrize("change", [{"missing": "guess"}, {"length": "longer"}])
    def test_choices(self, pack, video, change):
        with pytest.raises(SadTalkerError, match="must be one of"):
            list(dub(pack, video, FPS, silence(), DubOptions(**change)))

    @pytest.mark.parametrize("fps", [0.0, -1.0, 241.0, math.nan])
    def test_rate(self, pack, video, fps):
        with pytest.raises(SadTalkerError, match="frames a second"):
            list(dub(pack, video, fps, silence()))

    def test_no_frames(self, pack):
        with pytest.raises(SadTalkerError, match="no frames"):
            list(dub(pack, [], FPS, silence()))

    def test_it_can_be_stopped(self, pack, video):
        def stop(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            next(dub(pack, video, FPS, silence(), on_progress=stop))

    def test_progress_rises_to_its_end(self, pack, video, speech):
        reports = []
        list(dub(pack, video, FPS, speech, on_progress=lambda done, total: reports.append(done / total)))
        assert all(before <= after for before, after in pairwise(reports))
        assert reports[-1] == 1


class TestOfficialPack:
    """With weights by rule the picture is no face; where it lies and what it depends on are the same."""

    def test_only_the_lower_face_is_drawn(self, official, pack, video, speech):
        frames = video[:3]
        result = torch.stack(list(dub(official, frames, FPS, Waveform(speech.samples[:1920]))))
        points = track_landmarks(pack.landmarker, frames).points
        for before, after, place in zip(frames, result, points, strict=True):
            lips = place[17, :2].long()
            assert not torch.equal(before[:, lips[1] - 3 : lips[1]], after[:, lips[1] - 3 : lips[1]])
            upper = int(place[168, 1])
            assert torch.equal(before[:, :upper], after[:, :upper])
            assert torch.isfinite(after).all()
