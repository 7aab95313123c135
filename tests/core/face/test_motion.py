"""A portrait moved by known amounts before the camera, and what is measured; both packs, and frames without a face."""

import gc
import math
import weakref
from dataclasses import replace

import cv2
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import find_landmarks
from sadtalker_pack.sadtalker_core.face.framing import FRAMINGS
from sadtalker_pack.sadtalker_core.face.motion import face_motion
from sadtalker_pack.sadtalker_core.face.tracking import track_landmarks
from sadtalker_pack.sadtalker_core.packs.official.extractor import RegressorExtractor
from sadtalker_pack.tests.support.official_networks import rule_regressor

SIZE = 320
NOTHING = torch.full((3, SIZE, SIZE), 0.4)


@pytest.fixture(scope="module")
def official_pack(pack):
    extractor = RegressorExtractor(256)
    extractor.regressor = rule_regressor()
    return replace(pack, name="official 256", basis="bfm09", extractor=extractor.eval(), vertices=None)


@pytest.fixture(scope="module")
def view(demo_picture):
    pixels = (demo_picture.permute(1, 2, 0) * 255).byte().numpy()

    def shot(x=0.0, y=0.0, degrees=0.0, zoom=0.5):
        """The portrait shifted by (x, y) pixels of the frame, turned counterclockwise about its nose, and scaled."""
        matrix = cv2.getRotationMatrix2D((265, 250), degrees, zoom)
        matrix[:, 2] += (SIZE / 2 - 265 + x, SIZE / 2 - 250 + y)
        moved = cv2.warpAffine(pixels, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        return torch.from_numpy(moved).permute(2, 0, 1).float() / 255

    return shot


class TestOpenPack:
    def test_tilt(self, pack, view):
        degrees = torch.tensor([0.0, 3.0, 6.0, 9.0, 6.0, 0.0, -6.0, -12.0])
        motion = face_motion(pack.landmarker, pack.extractor, [view(degrees=float(angle)) for angle in degrees], 25.0)
        roll = motion.coefficients.pose[:, 2].rad2deg()
        assert (roll - roll[:1] - degrees).abs().max() < 1.0
        assert (motion.coefficients.basis, motion.coefficients.fps, len(motion.blink)) == ("open3", 25.0, 8)
        assert motion.found.all()

    def test_places(self, pack, view):
        """Right is +x, down is -y; the unit is the distance between the outer eye corners."""
        frames = [view(), view(x=12.0), view(x=24.0), view(y=10.0), view(y=20.0)]
        place = face_motion(pack.landmarker, pack.extractor, frames, 25.0).coefficients.pose[:, 3:5]
        unit = float(track_landmarks(pack.landmarker, frames[:1]).points[0, [33, 263], :2].diff(dim=0).norm())
        wanted = torch.tensor([[0.0, 0.0], [12, 0], [24, 0], [0, -10], [0, -20]]) / unit
        assert ((place - place[:1]) - wanted).abs().max() < 0.04

    def test_a_larger_face_is_nearer(self, pack, view):
        zooms = torch.tensor([0.5, 0.52, 0.55, 0.6, 0.48])
        depth = face_motion(
            pack.landmarker, pack.extractor, [view(zoom=float(zoom)) for zoom in zooms], 25.0
        ).coefficients.pose[:, 5]
        assert float(depth[0]) == 0
        assert (depth - 10 * (1 - 0.5 / zooms)).abs().max() < 0.15

    def test_a_still_face_hardly_moves(self, pack, view):
        motion = face_motion(pack.landmarker, pack.extractor, [view()] * 6, 25.0)
        assert motion.coefficients.pose[:, :5].std(0).max() < 0.01
        assert motion.coefficients.pose[:, 5].std(0) / 10 < 0.005  # as a share of the face's size
        assert motion.coefficients.expression.std(0).max() < 0.01
        assert motion.blink.closure.max() < 0.05


class TestOfficialPack:
    @pytest.mark.parametrize("framing", FRAMINGS)
    def test_the_first_frame_is_what_the_portrait_would_be(self, official_pack, pack, view, framing):
        frames = [view(), view(x=8.0)]
        track = face_motion(
            official_pack.landmarker, official_pack.extractor, frames, 25.0, framing=framing
        ).coefficients
        points = track_landmarks(pack.landmarker, frames).points[0]
        alone = official_pack.extractor.extract(frames[0], points, framing=framing, size=256).coefficients
        assert torch.allclose(track.expression[0], alone.expression[0], atol=1e-4)
        assert torch.allclose(track.pose[0], alone.pose[0], atol=1e-4)
        assert (track.basis, track.crop) == ("bfm09", None)

    def test_later_frames_are_cut_by_the_first_ones_box(self, official_pack, pack, view):
        frames = [view(), view(x=8.0, degrees=3.0)]
        track = face_motion(official_pack.landmarker, official_pack.extractor, frames, 25.0).coefficients
        points = track_landmarks(pack.landmarker, frames).points
        box = official_pack.extractor.extract(frames[0], points[0], framing="crop", size=256).crop
        cut = frames[1][:, box.top : box.bottom, box.left : box.right]
        inside = points[1] - torch.tensor((box.left, box.top, 0.0))
        expected = official_pack.extractor.extract(cut, inside, framing="resize", size=256).coefficients
        assert torch.equal(track.expression[1:], expected.expression)
        assert torch.equal(track.pose[1:], expected.pose)
        own = official_pack.extractor.extract(frames[1], points[1], framing="crop", size=256).coefficients
        assert not torch.allclose(own.expression, expected.expression, atol=1e-4)

    def test_blinks_do_not_depend_on_the_pack(self, official_pack, pack, view):
        frames = [view(), view(x=2.0), view(x=4.0)]
        assert torch.equal(
            face_motion(pack.landmarker, pack.extractor, frames, 25.0).blink.closure,
            face_motion(official_pack.landmarker, official_pack.extractor, frames, 25.0).blink.closure,
        )


@pytest.fixture(scope="module")
def frames(view):
    return [NOTHING, view(degrees=5.0), view(degrees=-5.0), NOTHING, NOTHING, view(degrees=2.0)]


class TestMissingFaces:
    def test_error_says_which_frame_and_when(self, pack, view):
        with pytest.raises(FaceNotFoundError, match=r"frame 2 of the video \(0.20 s\).*hold the last one, or skip"):
            face_motion(pack.landmarker, pack.extractor, [view(), view(), NOTHING, view()], 10.0)

    def test_hold(self, pack, frames):
        motion = face_motion(pack.landmarker, pack.extractor, frames, 25.0, missing="hold")
        pose = motion.coefficients.pose
        assert len(motion.coefficients) == len(motion.blink) == 6
        assert torch.equal(pose[0], pose[1])
        assert torch.equal(pose[3], pose[2])
        assert torch.equal(pose[4], pose[2])
        assert motion.found.tolist() == [False, True, True, False, False, True]
        assert math.degrees(pose[1, 2] - pose[2, 2]) == pytest.approx(10, abs=1)

    def test_skip(self, pack, frames):
        held = face_motion(pack.landmarker, pack.extractor, frames, 25.0, missing="hold").coefficients
        skipped = face_motion(pack.landmarker, pack.extractor, frames, 25.0, missing="skip").coefficients
        assert torch.equal(skipped.pose, held.pose[[1, 2, 5]])
        assert torch.equal(skipped.expression, held.expression[[1, 2, 5]])

    @pytest.mark.parametrize("missing", ["hold", "skip"])
    @pytest.mark.parametrize("count", [0, 3])
    def test_no_face_at_all(self, pack, missing, count):
        with pytest.raises(FaceNotFoundError, match=f"None of the {count} frames"):
            face_motion(pack.landmarker, pack.extractor, [NOTHING] * count, 25.0, missing=missing)

    def test_what_the_extractor_refuses_is_missing_too(self, pack, view, monkeypatch):
        def refuse(*arguments, **options):
            raise FaceNotFoundError("Turned too far.")

        monkeypatch.setattr(type(pack.extractor), "extract", refuse)
        with pytest.raises(FaceNotFoundError, match="frame 0 .* Turned too far."):
            face_motion(pack.landmarker, pack.extractor, [view()], 25.0)
        with pytest.raises(FaceNotFoundError, match="None of the 1 frames"):
            face_motion(pack.landmarker, pack.extractor, [view()], 25.0, missing="hold")


def test_frames_are_not_kept(pack, view):
    alive: list[weakref.ref] = []
    most = 0

    def frames():
        nonlocal most
        for x in range(24):
            frame = view(x=float(x))
            alive.append(weakref.ref(frame))
            gc.collect()
            most = max(most, sum(reference() is not None for reference in alive))
            yield frame

    assert len(face_motion(pack.landmarker, pack.extractor, frames(), 25.0).coefficients) == 24
    assert most <= 10


def test_progress_and_interrupt(pack, view):
    told: list[tuple[int, int]] = []

    def report(done, total):
        told.append((done, total))
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        face_motion(pack.landmarker, pack.extractor, [view()] * 12, 25.0, on_progress=report)
    assert told == [(4, 12), (8, 12)]


@pytest.mark.parametrize("name", ["framing", "missing"])
def test_unknown_choices(pack, view, name):
    with pytest.raises(SadTalkerError, match=f"{name} must be one of .*got 'x'"):
        face_motion(pack.landmarker, pack.extractor, [view()], 25.0, **{name: "x"})


def test_the_same_landmarks_as_the_portrait_gets(pack, view):
    frame = view()
    followed = track_landmarks(pack.landmarker, [frame]).points[0]
    assert (followed - find_landmarks(pack.landmarker, frame, 0)).abs().max() < 2
