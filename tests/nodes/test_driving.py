"""Motion and blinks from a video, with the open pack and with the official one's extractor."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from comfy import model_management
from comfy_api.latest import InputImpl, Types
from sadtalker_pack.nodes.frames import frames_of_image, frames_of_video
from sadtalker_pack.sadtalker_core.errors import (
    BasisMismatchError,
    FaceNotFoundError,
    SadTalkerError,
    ShapeError,
    TrackError,
)
from sadtalker_pack.sadtalker_core.face.regions import OUTER_LIPS
from sadtalker_pack.sadtalker_core.flow import BlinkCurve, Coefficients
from sadtalker_pack.sadtalker_core.tracks.channels import channels
from sadtalker_pack.sadtalker_core.tracks.files import read_coefficients
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node

DEMO = ROOT / "sadtalker_core" / "assets" / "demo"
EXTRACT = {"framing": "crop", "missing": "error", "images_fps": 25.0}


@pytest.fixture(scope="module")
def video():
    return InputImpl.VideoFromFile(str(DEMO / "reference.mp4"))


@pytest.fixture(scope="module")
def images(video):
    return video.get_components().images[:6]


@pytest.fixture(scope="module")
def measured(pack, video):
    return run_node("SadTalkerExtract3DMMFromVideo", pack=pack, video=video, **EXTRACT)


def track(frames=10, fps=25.0, basis="open3"):
    return Coefficients(basis, fps, torch.randn(frames, 64), torch.randn(frames, 6))


class TestFrames:
    def test_file_is_read_as_the_host_reads_it(self, video):
        frames = frames_of_video(video)
        assert (len(frames), frames.fps, frames.pixels) == (120, 30.0, 320 * 320)
        expected = video.get_components().images
        for _ in range(2):  # it can be read again
            read = list(frames)
            assert len(read) == 120
            assert all(torch.equal(frame.permute(1, 2, 0), image) for frame, image in zip(read, expected, strict=True))

    def test_file_is_not_decoded_as_a_whole(self, video, monkeypatch):
        monkeypatch.setattr(InputImpl.VideoFromFile, "get_components", lambda self: pytest.fail("decoded at once"))
        assert next(iter(frames_of_video(video))).shape == (3, 320, 320)

    def test_part_of_a_file_is_left_to_the_host(self, video, monkeypatch):
        """As later hosts hand it on from a node that trims."""
        whole = video.get_components()
        part = Types.VideoComponents(images=whole.images[:30], audio=None, frame_rate=whole.frame_rate)
        monkeypatch.setattr(InputImpl.VideoFromFile, "get_duration", lambda self: 1.0)
        monkeypatch.setattr(InputImpl.VideoFromFile, "get_components", lambda self: part)
        assert len(frames_of_video(video)) == 30

    def test_video_of_another_node(self, images):
        components = Types.VideoComponents(images=images, audio=None, frame_rate=Fraction(24))
        frames = frames_of_video(InputImpl.VideoFromComponents(components))
        assert (len(frames), frames.fps) == (6, 24.0)
        assert torch.equal(next(iter(frames)), images[0].permute(2, 0, 1))

    def test_transparent_images(self):
        assert next(iter(frames_of_image(torch.rand(2, 8, 6, 4), 25.0))).shape == (3, 8, 6)

    def test_sound_alone(self):
        with pytest.raises(SadTalkerError, match="only sound"):
            frames_of_video(InputImpl.VideoFromFile(str(DEMO / "speech.wav")))

    def test_film_of_a_phone_is_set_upright(self, tmp_path):
        """Stored on its side, with a note in the file that says how to turn it."""
        path = tmp_path / "phone.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("h264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
            picture = torch.zeros(32, 64, 3, dtype=torch.uint8)
            picture[:, :32] = 255  # the left half is white
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.numpy(), format="rgb24")))
            container.mux(stream.encode(None))
        _turn_in_place(path, 90)
        with av.open(str(path)) as container:
            assert next(container.decode(video=0)).rotation == 90
        frame = next(iter(frames_of_video(InputImpl.VideoFromFile(str(path)))))
        assert frame.shape == (3, 64, 32)
        assert frame[:, 40:].mean() > 0.9 > 0.1 > frame[:, :24].mean()


class TestExtractFromVideo:
    def test_video(self, measured):
        track, blinks = measured
        assert (track.basis, track.fps, len(track), len(blinks), blinks.fps) == ("open3", 30.0, 120, 120, 30.0)
        yaw = track.pose[:, 1].rad2deg()
        assert yaw.max() > 8
        assert yaw.min() < -6

    def test_images_are_the_same_as_the_video(self, pack, images, measured):
        found, _ = run_node(
            "SadTalkerExtract3DMMFromVideo", pack=pack, images=images, **{**EXTRACT, "images_fps": 30.0}
        )
        assert found.fps == 30.0
        torch.testing.assert_close(found.pose[:4], measured[0].pose[:4], atol=1e-5, rtol=0)

    def test_official_pack(self, official_pack, images):
        found, blinks = run_node("SadTalkerExtract3DMMFromVideo", pack=official_pack, images=images, **EXTRACT)
        assert (found.basis, len(found), len(blinks)) == ("bfm09", 6, 6)
        assert torch.isfinite(found.expression).all()

    def test_frames_without_a_face(self, pack, images, caplog):
        gap = torch.cat((images[:2], torch.full_like(images[:1], 0.5), images[2:3]))
        with pytest.raises(FaceNotFoundError, match="frame 2 of the video"):
            run_node("SadTalkerExtract3DMMFromVideo", pack=pack, images=gap, **EXTRACT)
        with caplog.at_level(logging.WARNING):
            held, _ = run_node("SadTalkerExtract3DMMFromVideo", pack=pack, images=gap, **{**EXTRACT, "missing": "hold"})
        assert torch.equal(held.pose[2], held.pose[1])
        assert "1 of 4 frames" in caplog.text
        skipped, _ = run_node("SadTalkerExtract3DMMFromVideo", pack=pack, images=gap, **{**EXTRACT, "missing": "skip"})
        assert len(skipped) == 3

    def test_nothing_or_both_connected(self, pack, video, images):
        with pytest.raises(SadTalkerError, match="either a video or images"):
            run_node("SadTalkerExtract3DMMFromVideo", pack=pack, **EXTRACT)
        with pytest.raises(SadTalkerError, match="not both"):
            run_node("SadTalkerExtract3DMMFromVideo", pack=pack, video=video, images=images, **EXTRACT)

    def test_cancel(self, pack, video):
        model_management.interrupt_current_processing()
        try:
            with pytest.raises(model_management.InterruptProcessingException):
                run_node("SadTalkerExtract3DMMFromVideo", pack=pack, video=video, **EXTRACT)
        finally:
            model_management.interrupt_current_processing(False)


class TestReference:
    def test_the_head_moves_as_in_the_video(self, pack, mel, face, measured):
        still = run_node("SadTalkerPoseVAE", pack=pack, mel=mel, face=face, style=0, seed=0, pose_scale=0.0)[0]
        moved = run_node("SadTalkerReferenceMotion", reference=measured[0], part="head motion", coefficients=still)[0]
        assert (len(moved), moved.fps) == (len(mel), 25.0)
        turned = (moved.pose - face.coefficients.pose)[:, 1].rad2deg()
        wanted = (measured[0].pose - measured[0].pose[:1])[:, 1].rad2deg()
        assert torch.allclose(turned[::5], wanted[:60:6], atol=0.01)  # every 0.2 s of both

    def test_the_portrait_alone_moves_as_long_as_the_video(self, pack, face, measured):
        moved = run_node("SadTalkerReferenceMotion", reference=measured[0], part="everything", face=face)[0]
        assert (len(moved), moved.fps) == (120, 30.0)
        assert torch.allclose(moved.expression[0], face.coefficients.expression[0], atol=1e-6)
        keypoints = run_node("SadTalkerMappingNet", pack=pack, face=face, coefficients=moved)[0]
        assert len(keypoints) == 120

    def test_nothing_to_move(self, measured):
        with pytest.raises(SadTalkerError, match="face of the portrait"):
            run_node("SadTalkerReferenceMotion", reference=measured[0], part="everything")

    def test_a_reference_of_another_pack(self, face):
        with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
            run_node("SadTalkerReferenceMotion", reference=track(basis="bfm09"), part="everything", face=face)

    def test_blinks_never_touch_the_lips(self, pack, mel, face, measured):
        blinks = run_node("SadTalkerReferenceBlink", blinks=measured[1], mel=mel)[0]
        assert (len(blinks), blinks.fps) == (len(mel), mel.fps)
        shut = replace(blinks, closure=torch.ones_like(blinks.closure))
        model = pack.core.vertices
        shapes = [
            model.offsets(
                run_node("SadTalkerExpNet", pack=pack, mel=mel, face=face, expression_scale=1.0, blink=blink)[
                    0
                ].expression
            )
            for blink in (None, shut)
        ]
        moved = (shapes[1] - shapes[0]).norm(dim=2)
        assert moved.max() > 0.05  # the lids
        assert moved[:, OUTER_LIPS].max() < 0.005

    def test_blinks_of_a_broken_video(self, mel):
        with pytest.raises(TrackError, match="blinks"):
            run_node("SadTalkerReferenceBlink", blinks=BlinkCurve(torch.full((4,), torch.nan), 25.0), mel=mel)

    def test_expression_as_the_reference_of_expnet(self, pack, mel, face, measured):
        """As in the original: tiled to the speech, instead of the portrait's own expression."""
        plain, borrowed = (
            run_node("SadTalkerExpNet", pack=pack, mel=mel, face=face, expression_scale=1.0, reference=reference)[0]
            for reference in (None, replace(measured[0], fps=25.0, expression=measured[0].expression[:7], pose=None))
        )
        assert not torch.allclose(plain.expression, borrowed.expression, atol=1e-3)
        first = replace(face, expression=measured[0].expression[2])
        alone = run_node("SadTalkerExpNet", pack=pack, mel=mel, face=first, expression_scale=1.0)[0]
        assert torch.allclose(borrowed.expression[2::7], alone.expression[2::7], atol=1e-5)

    def test_expnet_with_a_reference_of_another_pack(self, pack, mel, face):
        with pytest.raises(BasisMismatchError, match="bfm09"):
            run_node(
                "SadTalkerExpNet", pack=pack, mel=mel, face=face, expression_scale=1.0, reference=track(basis="bfm09")
            )


def test_the_demo_track_is_what_the_demo_video_shows(measured, pack):
    """Except for how processors round: the largest motions agree to a hundredth."""
    stored, model = read_coefficients(DEMO / "reference.safetensors"), pack.core.vertices
    one, other = channels(stored, model).curves, channels(measured[0], model).curves
    for name, curve in one.items():
        assert (curve - other[name]).abs().max() <= 0.05 * (curve.max() - curve.min()), name


def test_frames_of_two_sizes(pack):
    from sadtalker_pack.sadtalker_core.face.motion import face_motion

    with pytest.raises(ShapeError, match="frame"):
        face_motion(pack.core.landmarker, pack.core.extractor, [torch.rand(3, 64, 64), torch.rand(3, 64, 65)], 25.0)


def _turn_in_place(path: Path, degrees: int) -> None:
    """Write a quarter turn into the track header of an mp4 file."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4
    matrix = place + 40 if content[place] == 0 else place + 52
    one = (1 << 16).to_bytes(4, "big")
    minus_one = (-(1 << 16)).to_bytes(4, "big", signed=True)
    nought, far = bytes(4), (1 << 30).to_bytes(4, "big")
    rows = {90: (nought, minus_one, nought, one, nought, nought, nought, nought, far)}
    content[matrix : matrix + 36] = b"".join(rows[degrees])
    path.write_bytes(content)
