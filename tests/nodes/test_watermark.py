"""Watermark and Detect Watermark inside the real host, and the switch of Talking Head."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from comfy import model_management
from comfy_api.latest import InputImpl, Types
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.finish.watermark.detector import FOUND
from sadtalker_pack.tests.nodes.comfy_host import run_node

OPTIONS = {"invisible": True, "message": "Take 7-b", "text": "", "corner": "bottom right", "opacity": 0.6, "size": 0.1}


@pytest.fixture(scope="module")
def frames(demo_picture):
    """IMAGE (2, 512, 512, 3)."""
    return demo_picture[:, :512, :512].permute(1, 2, 0)[None].repeat(2, 1, 1, 1)


@pytest.fixture(scope="module")
def inputs(demo_picture):
    samples = torch.sin(torch.arange(4800) / 16000 * 2 * math.pi * 200)[None, None] * 0.2
    return {
        "image": demo_picture.permute(1, 2, 0)[None],
        "audio": {"waveform": samples, "sample_rate": 16000},
        **{"framing": "crop", "size": 256, "fps": 25.0, "style": 0, "seed": 0, "expression_scale": 1.0},
        **{"pose_scale": 1.0, "blink": True, "still": False, "face_index": 0},
    }


def watermark(images, **changes):
    return run_node("SadTalkerWatermark", images=images, **{**OPTIONS, **changes})[0]


def detect(**inputs):
    return run_node("SadTalkerDetectWatermark", **inputs)


def psnr(first, second):
    return -10 * math.log10((first - second).square().mean().item() + 1e-12)


class TestWatermark:
    def test_hides_a_message_that_is_found(self, frames):
        before = frames.clone()
        marked = watermark(frames)
        assert torch.equal(frames, before)
        assert marked.shape == frames.shape
        assert 40 <= psnr(marked, frames) < 50
        message, found, score = detect(images=marked)
        assert (message, found) == ("Take 7-b", True)
        assert score > FOUND

    def test_writes_a_text_and_hides_a_message_below_it(self, frames):
        marked = watermark(frames, text="Made by AI")
        assert psnr(marked[:, :400], frames[:, :400]) >= 40
        assert psnr(marked[:, 440:, 250:], frames[:, 440:, 250:]) < 25
        assert detect(images=marked)[0] == "Take 7-b"

    def test_nothing_wanted_changes_nothing(self, frames):
        assert torch.equal(watermark(frames, invisible=False, message="", text=" "), frames)

    def test_a_logo_with_the_mask_of_load_image(self, frames):
        logo = torch.tensor([1.0, 0.0, 0.0]).expand(1, 20, 40, 3)
        mask = torch.zeros(1, 20, 40)
        mask[..., 20:] = 1
        marked = watermark(frames, invisible=False, logo=logo, logo_mask=mask, opacity=1.0, corner="top left")
        red = (marked == torch.tensor([1.0, 0.0, 0.0])).all(3)[0]
        rows, columns = red.nonzero().unbind(1)
        assert (int(rows.min()), int(columns.min())) == (10, 10)
        assert int(rows.max()) == 60
        assert 55 <= int(columns.max()) <= 61

    def test_the_empty_mask_of_load_image_is_no_mask(self, frames):
        logo = torch.tensor([1.0, 0.0, 0.0]).expand(1, 20, 40, 3)
        options = {"invisible": False, "logo": logo, "opacity": 1.0}
        assert torch.equal(watermark(frames, logo_mask=torch.zeros(1, 64, 64), **options), watermark(frames, **options))

    @pytest.mark.parametrize("node", [watermark, lambda images: detect(images=images)], ids=["mark", "detect"])
    def test_can_be_cancelled(self, frames, node):
        model_management.interrupt_current_processing()
        try:
            with pytest.raises(model_management.InterruptProcessingException):
                node(frames)
        finally:
            model_management.interrupt_current_processing(False)


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"message": ""}, "1 to 8 characters"),
            ({"message": "nine signs"}, "1 to 8 characters.*got 10"),
            ({"text": "你好"}, "font for visible texts has no"),
            ({"text": "x" * 200}, "1 to 100 characters"),
            ({"logo": torch.zeros(1, 0, 0, 3)}, "one picture with pixels as the logo"),
            ({"logo": torch.zeros(2, 8, 8, 3)}, "one picture with pixels as the logo"),
            ({"logo": torch.full((1, 8, 8, 3), math.nan)}, "logo holds what is no number"),
            ({"logo": torch.ones(1, 8, 8, 3), "logo_mask": torch.ones(1, 9, 9)}, "mask of the picture's size"),
            ({"images": torch.rand(1, 64, 64, 3)}, "at least 208x208"),
            ({"images": torch.full((1, 256, 256, 3), math.nan)}, r"numbers in 0\.\.1"),
            ({"images": torch.zeros(0, 256, 256, 3)}, "IMAGE of shape"),
        ],
    )
    def test_is_named(self, frames, changes, words):
        with pytest.raises(SadTalkerError, match=words):
            watermark(changes.pop("images", frames), **changes)

    def test_nothing_or_both_to_look_at(self, frames):
        components = Types.VideoComponents(images=frames, frame_rate=Fraction(25))
        video = InputImpl.VideoFromComponents(components)
        for given in ({}, {"images": frames, "video": video}):
            with pytest.raises(SadTalkerError, match="either a video or images"):
                detect(**given)


class TestDetect:
    def test_unmarked(self, frames):
        message, found, score = detect(images=frames)
        assert (message, found) == ("", False)
        assert score < FOUND

    def test_a_video_in_memory_and_as_a_file(self, frames, tmp_path):
        components = Types.VideoComponents(images=watermark(frames).repeat(3, 1, 1, 1), frame_rate=Fraction(25))
        video = InputImpl.VideoFromComponents(components)
        assert detect(video=video)[0] == "Take 7-b"
        video.save_to(str(tmp_path / "marked.mp4"))
        assert detect(video=InputImpl.VideoFromFile(str(tmp_path / "marked.mp4")))[:2] == ("Take 7-b", True)


class TestTalkingHead:
    def test_marks_unless_told_otherwise(self, inputs):
        marked, told, plain = (
            run_node("SadTalkerTalkingHead", **inputs, **switch)[0].get_components().images
            for switch in ({}, {"watermark": True}, {"watermark": False})
        )
        assert torch.equal(marked, told)
        assert 40 <= psnr(marked, plain) < 50
        assert detect(images=marked)[:2] == ("AI video", True)
        assert not detect(images=plain)[1]

    def test_talking_faces_too(self, inputs):
        options = {key: value for key, value in inputs.items() if key not in ("audio", "framing", "face_index")}
        options |= {"audio_1": inputs["audio"], "face_order": "left to right", "size": 384}
        marked = run_node("SadTalkerTalkingFaces", **options)[0].get_components().images
        assert detect(images=marked)[0] == "AI video"
        plain = run_node("SadTalkerTalkingFaces", **options, watermark=False)[0].get_components().images
        assert not detect(images=plain)[1]

    def test_frames_too_small_stay_without(self, inputs):
        narrow = inputs["image"][:, :, 130:410]
        options = {**inputs, "image": narrow, "framing": "resize", "size": 256}
        marked, plain = (
            run_node("SadTalkerTalkingHead", **options, watermark=wanted)[0].get_components().images
            for wanted in (True, False)
        )
        assert marked.shape[1] * marked.shape[2] < 208**2
        assert torch.equal(marked, plain)
