"""Two portraits side by side, each speaking for itself."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import find_faces
from sadtalker_pack.sadtalker_core.flow import Waveform
from sadtalker_pack.sadtalker_core.pipeline import TalkingHeadOptions
from sadtalker_pack.sadtalker_core.talking_faces import face_weight, talking_faces

OPTIONS = TalkingHeadOptions(size=384, blink=False)


@pytest.fixture(scope="module")
def couple(demo_picture):
    """(3, 600, 1024): the demo portrait, and its mirror image."""
    return torch.cat((demo_picture, demo_picture.flip(2)), 2)


@pytest.fixture(scope="module")
def speech(demo_speech):
    return Waveform(demo_speech.samples[4000:12000])


def changes(frames):
    """How much each half of the picture moves."""
    moved = (frames[1:] - frames[:-1]).abs().mean((0, 1, 2))
    return float(moved[: len(moved) // 2].mean()), float(moved[len(moved) // 2 :].mean())


class TestWhoSpeaks:
    def test_both_in_one_picture(self, pack, couple, speech):
        frames = talking_faces(pack, couple, [speech, speech], OPTIONS)
        assert frames.shape == (12, 3, 224, 384)
        left, right = changes(frames)
        assert min(left, right) > 1e-3

    @pytest.mark.parametrize("speaker", [0, 1])
    def test_the_other_stays_as_it_is(self, pack, couple, speech, speaker):
        speeches = [None, None]
        speeches[speaker] = speech
        halves = changes(talking_faces(pack, couple, speeches, OPTIONS))
        assert halves[1 - speaker] < 1e-4
        assert halves[speaker] > 1e-3

    def test_the_shorter_goes_on_in_silence(self, pack, couple, speech):
        short = Waveform(speech.samples[:2560])
        frames = talking_faces(pack, couple, [short, speech], OPTIONS)
        assert len(frames) == 12
        assert changes(frames[5:])[0] > 1e-4

    def test_each_moves_in_a_way_of_its_own(self, pack, couple, speech):
        left, right = talking_faces(pack, couple, [speech, speech], OPTIONS).chunk(2, 3)
        assert (left - right.flip(3)).abs().mean() > 1e-3

    def test_order_by_size(self, pack, couple, speech):
        picture = couple.clone()
        picture[:, :, :512] = 0.4
        picture[:, 300:, 100:356] = couple[:, ::2, :512:2]
        halves = changes(talking_faces(pack, picture, [speech], OPTIONS, face_order="largest first"))
        assert halves[1] > 1e-3 > 1e-4 > halves[0]


class TestShares:
    def test_add_up_between_two(self, pack, couple):
        faces = find_faces(pack.landmarker, couple, "left to right")
        left, right = (face_weight(faces, index, 600, 1024) for index in (0, 1))
        torch.testing.assert_close(left + right, torch.ones(600, 1024))
        assert left[:, :400].min() == 1
        assert left[:, 624:].max() == 0

    def test_one_face_has_all(self, pack, demo_picture):
        faces = find_faces(pack.landmarker, demo_picture, "left to right")
        assert face_weight(faces, 0, 600, 512).min() == 1


def test_progress_counts_both(pack, couple, speech):
    steps = []
    talking_faces(pack, couple, [speech, speech], OPTIONS, on_progress=lambda *step: steps.append(step))
    assert steps[-1] == (24, 24)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_more_recordings_than_faces_are_named(pack, couple, speech):
    with pytest.raises(FaceNotFoundError, match=r"a recording for face 3, but the picture of 384x224 pixels shows 2"):
        talking_faces(pack, couple, [speech, None, speech], OPTIONS)


@pytest.mark.parametrize("count", [0, 5])
def test_the_number_of_recordings_is_checked(pack, couple, speech, count):
    with pytest.raises(SadTalkerError, match="Expected 1 to 4 recordings"):
        talking_faces(pack, couple, [speech] * count, OPTIONS)
