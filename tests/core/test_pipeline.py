"""The whole flow with the open pack, on the demo portrait and the demo speech."""

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.regions import LEFT_EYE_CORNERS, OUTER_EYE_CORNERS, RIGHT_EYE_CORNERS
from sadtalker_pack.sadtalker_core.face.tracking import track_landmarks
from sadtalker_pack.sadtalker_core.flow import SAMPLE_RATE, Waveform
from sadtalker_pack.sadtalker_core.pipeline import TalkingHeadOptions, predict_coefficients, talking_head
from sadtalker_pack.sadtalker_core.render.frames import render_frames
from torch.nn import functional as F

SECONDS, FPS = 2, 25
OPTIONS = TalkingHeadOptions()
INNER_LIPS = (13, 14)
EYELIDS = (((159, 145), LEFT_EYE_CORNERS), ((386, 374), RIGHT_EYE_CORNERS))
"""For each eye the middles of its lids, and its corners."""


def distance(points, pair):
    first, second = pair
    return (points[..., first, :2] - points[..., second, :2]).norm(dim=-1)


def mouth_opening(points):
    """Gap between the inner lips (T,) in distances between the outer eye corners."""
    return distance(points, INNER_LIPS) / distance(points, OUTER_EYE_CORNERS)


def eye_opening(points):
    """Height over width of the eyes (T,), mean of both."""
    return torch.stack([distance(points, lids) / distance(points, corners) for lids, corners in EYELIDS]).mean(0)


def correlation(first, second):
    return float(torch.corrcoef(torch.stack((first, second)))[0, 1])


@pytest.fixture(scope="module")
def speech(demo_speech):
    """The first two seconds of the demo speech, its leading silence left out."""
    start = SAMPLE_RATE // 4
    return Waveform(demo_speech.samples[start : start + SECONDS * SAMPLE_RATE])


@pytest.fixture(scope="module")
def made(pack, demo_picture, speech):
    return talking_head(pack, demo_picture, speech, OPTIONS)


@pytest.fixture(scope="module")
def face(made):
    return made.face


@pytest.fixture(scope="module")
def driving(pack, face, demo_speech):
    """Driving vertices (T, 478, 3) for the whole demo speech under given options."""

    def call(waveform=demo_speech, **options):
        coefficients = predict_coefficients(pack, face, mel_windows(waveform, FPS), replace(OPTIONS, **options))
        return pack.mapping.keypoints(face, coefficients).driving

    return call


@pytest.fixture(scope="module")
def measured(pack, made):
    """Landmarks (T, 478, 3) found again on the rendered frames."""
    track = track_landmarks(pack.landmarker, iter(made.frames))
    assert (track.presence > 0.5).all(), "a rendered frame shows no face"
    return track.points


class TestFrames:
    def test_one_for_each_25th_of_a_second(self, made):
        assert made.fps == FPS
        assert made.frames.shape[0] == SECONDS * FPS
        assert len(made.coefficients) == SECONDS * FPS

    def test_have_an_even_size_and_hold_colours(self, made):
        count, channels, height, width = made.frames.shape
        assert (channels, height, width) == (3, made.face.crop.height, made.face.crop.width)
        assert height % 2 == width % 2 == 0
        assert made.frames.dtype == torch.float32
        assert made.frames.isfinite().all()
        assert made.frames.min() >= 0
        assert made.frames.max() <= 1

    def test_differ_from_one_another(self, made):
        changes = (made.frames[1:] - made.frames[:-1]).abs().mean((1, 2, 3))
        assert (changes > 1e-4).all()

    def test_look_like_the_portrait(self, made):
        # Coarsely, for the head moves: fine detail is somewhere else in each frame.
        frames, portrait = (F.adaptive_avg_pool2d(picture, 8) for picture in (made.frames, made.face.cropped[None]))
        assert (frames - portrait).abs().mean((1, 2, 3)).max() < 0.08

    @pytest.mark.parametrize(("fps", "frames"), [(30.0, 6), (12.5, 2)])
    def test_follow_the_frame_rate(self, pack, demo_picture, speech, fps, frames):
        short = Waveform(speech.samples[: SAMPLE_RATE // 5])
        head = talking_head(pack, demo_picture, short, replace(OPTIONS, fps=fps, size=256))
        assert head.frames.shape[0] == frames
        assert head.fps == fps

    def test_there_is_at_least_one(self, pack, demo_picture):
        head = talking_head(pack, demo_picture, Waveform(torch.zeros(1)), replace(OPTIONS, size=256))
        assert head.frames.shape[0] == 1

    def test_progress_is_reported_to_the_end(self, pack, demo_picture, speech):
        steps = []
        short = Waveform(speech.samples[: SAMPLE_RATE // 2])
        options = replace(OPTIONS, size=256)
        talking_head(pack, demo_picture, short, options, on_progress=lambda done, total: steps.append((done, total)))
        assert steps[-1] == (12, 12)
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)

    def test_the_user_can_stop(self, pack, demo_picture, speech):
        class StoppedError(Exception):
            pass

        def stop(done, total):
            raise StoppedError

        with pytest.raises(StoppedError):
            talking_head(pack, demo_picture, speech, replace(OPTIONS, size=256), on_progress=stop)


class TestSeed:
    def test_the_same_gives_the_same_frames(self, pack, demo_picture, speech, made):
        torch.manual_seed(99)  # the global generator must not matter
        again = talking_head(pack, demo_picture, speech, OPTIONS)
        assert torch.equal(again.coefficients.pose, made.coefficients.pose)
        assert torch.equal(again.coefficients.expression, made.coefficients.expression)
        assert torch.equal(again.frames, made.frames)

    def test_another_gives_another_head_motion(self, pack, face, speech, made):
        other = predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, seed=1))
        assert (other.pose - made.coefficients.pose).abs().max() > 0.01

    def test_the_style_is_part_of_the_motion(self, pack, face, speech, made):
        other = predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, style=pack.styles - 1))
        assert (other.pose - made.coefficients.pose).abs().max() > 0.01

    def test_styles_the_pack_does_not_know_are_named(self, pack, face, speech):
        with pytest.raises(SadTalkerError, match=str(pack.styles - 1)):
            predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, style=pack.styles))

    def test_switching_blinks_off_keeps_the_head_motion(self, pack, face, speech, made):
        other = predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, blink=False))
        assert torch.equal(other.pose, made.coefficients.pose)


class TestHead:
    def test_moves_but_not_out_of_the_picture(self, made):
        turn = made.coefficients.pose[:, :3] - made.face.coefficients.pose[:, :3]
        assert 0.01 < turn.abs().max() < 0.5

    def test_moves_without_jumps(self, pack, face, demo_speech):
        coefficients = predict_coefficients(pack, face, mel_windows(demo_speech, FPS), OPTIONS)
        assert coefficients.pose[:, :3].diff(dim=0).abs().max() < 0.06

    def test_still_keeps_the_pose_of_the_portrait(self, pack, face, speech):
        coefficients = predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, still=True))
        assert (coefficients.pose == face.coefficients.pose).all()

    def test_no_scale_is_still(self, pack, face, speech):
        coefficients = predict_coefficients(pack, face, mel_windows(speech, FPS), replace(OPTIONS, pose_scale=0.0))
        assert torch.allclose(coefficients.pose, face.coefficients.pose.expand_as(coefficients.pose))


class TestEyes:
    def test_blink_now_and_then(self, driving, face):
        opening = eye_opening(driving(still=True)) / eye_opening(face.landmarks)
        closed = opening < 0.5
        assert closed.any(), "eleven seconds without a blink"
        assert closed.float().mean() < 0.2
        assert opening.median() > 0.8

    def test_stay_open_without_blinks(self, driving, face):
        opening = eye_opening(driving(still=True, blink=False)) / eye_opening(face.landmarks)
        assert opening.min() > 0.55


class TestMouth:
    def test_in_the_frames_follows_the_vertices_that_drive_it(self, pack, made, measured):
        asked = mouth_opening(pack.mapping.keypoints(made.face, made.coefficients).driving)
        assert asked.std() > 0.01, "the coefficients do not move the mouth"
        assert correlation(mouth_opening(measured), asked) > 0.7

    def test_opens_wider_for_speech_than_for_silence(self, driving, demo_speech):
        quiet = mouth_opening(driving(Waveform(torch.zeros(4 * SAMPLE_RATE)), still=True, blink=False))
        speaking = mouth_opening(driving(still=True, blink=False))
        assert quiet.std() < 0.15 * speaking.std()
        assert speaking.max() - speaking.min() > 0.05

    def test_is_closed_in_silence_if_the_portrait_is(self, driving, face):
        quiet = mouth_opening(driving(Waveform(torch.zeros(SAMPLE_RATE)), still=True, blink=False))
        assert (quiet - mouth_opening(face.landmarks)).abs().max() < 0.03

    def test_no_scale_keeps_the_expression_of_the_portrait(self, driving, face):
        kept = driving(expression_scale=0.0, still=True)
        assert (kept - face.landmarks)[..., :2].abs().max() < 0.05

    def test_more_scale_opens_wider(self, driving):
        usual, more = (mouth_opening(driving(expression_scale=scale, still=True)) for scale in (1.0, 1.5))
        assert more.std() > 1.2 * usual.std()


class TestOwnCoefficients:
    def test_give_back_the_landmarks(self, pack, face):
        keypoints = pack.mapping.keypoints(face, face.coefficients)
        assert (keypoints.driving[0] - face.landmarks).abs().max() < 0.05

    @pytest.mark.parametrize("framing", ["crop", "full"])
    def test_give_back_the_portrait(self, pack, demo_picture, framing):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing=framing)
        frame = render_frames(pack.renderer, face, pack.mapping.keypoints(face, face.coefficients))[0]
        error = (frame - face.cropped).square().mean()
        assert -10 * torch.log10(error) > 38
