"""The official pack's MappingNet around its networks: windows in time, framings, head angles, refusals."""

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, SadTalkerError
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, HeadTurn
from sadtalker_pack.sadtalker_core.packs.official.mapping import (
    CROP_CHANNELS,
    FULL_CHANNELS,
    RADIUS,
    WINDOW,
    KeypointMapping,
    MappingNetwork,
    mapping_windows,
)
from sadtalker_pack.tests.support.faces import source_face

SIZE = 128
"""The smallest picture that the detector halves five times after its reduction by four."""


@pytest.fixture(scope="module")
def mapping():
    torch.manual_seed(3)
    network = KeypointMapping(crop=MappingNetwork(CROP_CHANNELS), full=MappingNetwork(FULL_CHANNELS))
    torch.nn.init.normal_(network.detector.down.weight, 0, 0.1)
    return network.eval()


@pytest.fixture(scope="module")
def face():
    own = Coefficients("bfm09", 25, torch.randn(1, 64), torch.randn(1, 6))
    picture = torch.rand(3, SIZE, SIZE)
    crop = Crop(0, 0, SIZE, SIZE, SIZE, SIZE)
    return source_face(picture, picture, crop, torch.zeros(478, 3), torch.zeros(80), own)


@pytest.fixture(scope="module")
def full_face(face):
    return replace(face, place=torch.tensor([0.9, 120.0, 130.0]))


def track(frames, fps=25.0):
    return Coefficients("bfm09", fps, torch.randn(frames, 64), torch.randn(frames, 6))


class TestWindows:
    def test_the_middle_is_the_frame_itself(self):
        rows = torch.randn(40, 7)
        windows = mapping_windows(rows, 25.0, torch.arange(40))
        assert windows.shape == (40, 7, WINDOW)
        assert torch.equal(windows[:, :, RADIUS], rows)

    def test_ends_repeat(self):
        rows = torch.randn(5, 2)
        (window,) = mapping_windows(rows, 25.0, torch.tensor([1]))
        assert torch.equal(window[:, : RADIUS - 1], rows[:1].T.expand(-1, RADIUS - 1))
        assert torch.equal(window[:, RADIUS + 3 :], rows[4:].T.expand(-1, RADIUS - 2))

    @pytest.mark.parametrize("fps", [12.5, 24.0, 30.0, 60.0])
    def test_span_the_same_time_at_any_rate(self, fps):
        seconds = torch.arange(200, dtype=torch.float32)[:, None] / fps
        (window,) = mapping_windows(seconds, fps, torch.tensor([100]))
        expected = 100 / fps + torch.arange(-RADIUS, RADIUS + 1) / 25
        torch.testing.assert_close(window[0], expected, atol=1e-4, rtol=0)


class TestKeypoints:
    def test_one_set_for_each_frame(self, mapping, face):
        keypoints = mapping.keypoints(face, track(70))
        assert keypoints.source.shape == (15, 3)
        assert keypoints.driving.shape == (70, 15, 3)
        assert keypoints.driving.std(0).max() > 0

    def test_the_portrait_s_own_coefficients_give_its_own_keypoints(self, mapping, face):
        own = face.coefficients
        held = replace(own, expression=own.expression.expand(3, -1), pose=own.pose.expand(3, -1))
        keypoints = mapping.keypoints(face, held)
        torch.testing.assert_close(keypoints.driving, keypoints.source.expand(3, -1, -1))

    def test_a_frame_does_not_depend_on_the_batch_it_is_in(self, mapping, face):
        whole = track(100)
        start = replace(whole, expression=whole.expression[:90], pose=whole.pose[:90])
        torch.testing.assert_close(
            mapping.keypoints(face, whole).driving[:70], mapping.keypoints(face, start).driving[:70]
        )

    def test_the_face_chooses_the_network(self, mapping, face, full_face):
        driving = track(2)
        cropped, full = mapping.keypoints(face, driving), mapping.keypoints(full_face, driving)
        assert not torch.allclose(cropped.driving, full.driving)

    @pytest.mark.parametrize(("missing", "kind", "name"), [("crop", "face", "00229"), ("full", "full_face", "00109")])
    def test_a_missing_network_is_named_with_its_file(self, face, full_face, missing, kind, name):
        networks = {"crop": MappingNetwork(CROP_CHANNELS), "full": MappingNetwork(FULL_CHANNELS), missing: None}
        portrait = {"face": face, "full_face": full_face}[kind]
        with pytest.raises(SadTalkerError, match=rf"{missing}.*mapping_{name}-model"):
            KeypointMapping(**networks).keypoints(portrait, track(2))

    def test_foreign_coefficients_are_named(self, mapping, face):
        with pytest.raises(BasisMismatchError, match="MappingNet.*bfm09.*open3"):
            mapping.keypoints(face, replace(track(2), basis="open3"))

    @pytest.mark.parametrize("stream", ["expression", "pose"])
    def test_a_missing_stream_is_named(self, mapping, face, stream):
        with pytest.raises(SadTalkerError, match="expression and pose"):
            mapping.keypoints(face, replace(track(2), **{stream: None}))


class TestTurn:
    def test_replaces_the_frames_angles_only(self, mapping, face):
        driving = track(3)
        free = mapping.keypoints(face, driving)
        turned = mapping.keypoints(face, driving, HeadTurn(yaw=torch.tensor([0.0, 15.0, 30.0])))
        assert torch.equal(turned.source, free.source)
        assert not torch.allclose(turned.driving, free.driving)

    def test_each_frame_has_its_own(self, mapping, face):
        own = track(1)
        held = replace(own, expression=own.expression.expand(100, -1), pose=own.pose.expand(100, -1))
        curve = torch.linspace(-20, 20, 100)
        zero = torch.zeros(100)
        keypoints = mapping.keypoints(face, held, HeadTurn(yaw=curve, pitch=zero, roll=zero))
        steps = keypoints.driving.diff(dim=0).norm(dim=-1)
        assert steps.min(0).values.max() > 0
        assert steps.max() < 0.05
