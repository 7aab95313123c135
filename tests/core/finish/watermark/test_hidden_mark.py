"""The hidden mark: what it does to frames, what it survives, and that nothing else is taken for it."""

from __future__ import annotations

import io
import math

import av
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.finish.watermark import detector, waves
from sadtalker_pack.sadtalker_core.finish.watermark.detector import FOUND, Detection, code_scores, detect
from sadtalker_pack.sadtalker_core.finish.watermark.invisible import SMALLEST_SIDE, carries_mark, mark_, mark_pattern
from sadtalker_pack.sadtalker_core.finish.watermark.payload import decode, payload_of
from skimage import data
from torch.nn import functional as F

MESSAGE = "Take 7-b"


def moving(picture, side, count=6):
    """Frames (count, 3, side, side) of a picture (H, W, 3) that drifts as a whole, harder than a talking head."""
    pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255
    short = min(pixels.shape[1:]) - 2 * count
    parts = torch.stack([pixels[:, 2 * step : 2 * step + short, step : step + short] for step in range(count)])
    return F.interpolate(parts, (side, side), mode="bicubic", antialias=True).clamp(0, 1)


@pytest.fixture(scope="module", params=[256, 512])
def frames(request):
    return moving(data.astronaut(), request.param)


def through_h264(frames, scale=1.0):
    """Frames after the settings of the contract: another size, then libx264 at crf 23 in yuv420p."""
    if scale != 1:
        height, width = (round(scale * side / 2) * 2 for side in frames.shape[2:])
        frames = F.interpolate(frames, (height, width), mode="bicubic", antialias=True).clamp(0, 1)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames.shape[2:]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "23"}
        for frame in (frames * 255).round().byte().permute(0, 2, 3, 1).numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


class TestFrames:
    def test_the_change_is_small_and_leaves_brightness_alone(self, frames):
        marked = mark_(frames.clone(), MESSAGE)
        errors = (marked - frames).square().mean((1, 2, 3))
        assert -10 * math.log10(float(errors.max())) >= 40
        pattern = mark_pattern(MESSAGE, *frames.shape[2:])
        brightness = (torch.tensor([0.299, 0.587, 0.114])[:, None, None] * pattern).sum(0)
        assert float(brightness.abs().max()) < 1e-6

    def test_every_frame_gets_the_same_pattern(self):
        marked = mark_(torch.full((3, 3, 256, 320), 0.5), MESSAGE)
        torch.testing.assert_close(marked - 0.5, mark_pattern(MESSAGE, 256, 320).expand(3, -1, -1, -1))

    def test_is_written_in_place_and_stays_in_range(self):
        frames = torch.rand(2, 3, 256, 256).round()
        marked = mark_(frames, MESSAGE)
        assert marked.data_ptr() == frames.data_ptr()
        assert float(marked.min()) >= 0
        assert float(marked.max()) <= 1

    def test_colours_last_in_memory_give_the_same(self):
        frames = torch.rand(2, 3, 256, 256)
        first = mark_(frames.clone(), MESSAGE)
        last = mark_(frames.to(memory_format=torch.channels_last, copy=True), MESSAGE)
        assert torch.equal(first, last)


class TestDetection:
    @pytest.mark.parametrize("scale", [1.0, 0.75])
    def test_is_read_after_h264_and_a_resize(self, frames, scale):
        sent = through_h264(mark_(frames.clone(), MESSAGE), scale)
        found = detect(sent)
        assert found.found
        assert found.message == MESSAGE
        assert np.array_equal(decode(code_scores(sent[0]).double().numpy()), payload_of(MESSAGE))

    @pytest.mark.parametrize("scale", [1.0, 0.75])
    def test_is_not_seen_where_there_is_none(self, frames, scale):
        found = detect(through_h264(frames, scale))
        assert not found.found
        assert found.message is None

    def test_one_frame_is_enough(self, frames):
        assert detect(mark_(frames[:1].clone(), MESSAGE)).message == MESSAGE

    def test_any_shape(self):
        wide = F.interpolate(moving(data.coffee(), 512)[:2], (240, 640), mode="bicubic").clamp(0, 1)
        assert detect(mark_(wide, MESSAGE)).message == MESSAGE

    @pytest.mark.parametrize("edges", [(0.05, 0.05, 0.05, 0.05), (0.1, 0.0, 0.03, 0.07), (0.0, 0.0, 0.0, 0.1)])
    def test_a_cropped_one_is_found(self, frames, edges):
        height, width = frames.shape[2:]
        top, bottom, left, right = (round(share * height / 2) * 2 for share in edges)
        cropped = mark_(frames.clone(), MESSAGE)[:, :, top : height - bottom, left : width - right]
        assert detect(through_h264(cropped)).message == MESSAGE

    def test_the_smallest_frames_are_read(self):
        frames = moving(data.astronaut(), SMALLEST_SIDE, 25)
        assert detect(through_h264(mark_(frames, MESSAGE), 0.75)).message == MESSAGE

    def test_a_mark_that_begins_later_is_found(self, monkeypatch):
        monkeypatch.setattr(detector, "LOOKS", (1, 4))
        frames = moving(data.astronaut(), 256).repeat(2, 1, 1, 1)[:9]
        mark_(frames[4:], MESSAGE)
        read = []
        found = detect(frame for frame in frames if read.append(1) is None)
        assert found.message == MESSAGE
        assert len(read) == 5  # of 9: it stops at the first look that finds one

    def test_another_key_is_no_mark(self, monkeypatch, frames):
        monkeypatch.setattr(waves, "_KEY", 1)
        waves.waves.cache_clear()
        other = mark_(frames.clone(), MESSAGE)
        monkeypatch.undo()
        waves.waves.cache_clear()
        assert not detect(other).found

    def test_pictures_without_a_mark_stay_below(self):
        """Photographs, print, noise and flat colours: far fewer than a billion, but of every kind."""
        grey = (data.camera(), data.brick(), data.text())
        pictures = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
        pictures += [np.repeat(picture[..., None], 3, 2) for picture in grey]
        noise = np.random.default_rng(0)
        pictures += [noise.integers(0, 256, (256, 256, 3), np.uint8) for _ in range(3)]
        pictures += [np.full((256, 256, 3), level, np.uint8) for level in (0, 128)]
        scores = [detect([torch.from_numpy(p.copy()).permute(2, 0, 1).float() / 255]).score for p in pictures]
        assert max(scores) < FOUND

    def test_a_faint_one_is_read_right_or_not_at_all(self):
        marked, plain = mark_(moving(data.astronaut(), 256)[:1], MESSAGE), moving(data.astronaut(), 256)[:1]
        faint = [detect(plain + share * (marked - plain)) for share in torch.linspace(0.02, 0.4, 12)]
        assert any(found.found for found in faint)
        assert all(found.message in (None, MESSAGE) for found in faint)
        assert "no mark" in str(faint[0])
        assert "too faint to read" in str(Detection(FOUND, None))
        assert f"says '{MESSAGE}'" in str(faint[-1])


class TestBadInput:
    def test_too_small(self):
        assert not carries_mark(128, 128)
        with pytest.raises(SadTalkerError, match=r"at least 208x208 pixels.*got 128x64"):
            mark_(torch.rand(1, 3, 64, 128), MESSAGE)

    @pytest.mark.parametrize("value", [math.nan, math.inf, 255.0])
    def test_no_picture(self, value):
        frames = torch.full((1, 3, 256, 256), value)
        with pytest.raises(SadTalkerError, match=r"numbers in 0\.\.1"):
            mark_(frames, MESSAGE)
        with pytest.raises(SadTalkerError, match=r"numbers in 0\.\.1"):
            detect(frames)

    def test_another_shape(self):
        with pytest.raises(ShapeError):
            mark_(torch.rand(1, 256, 256, 3), MESSAGE)
        with pytest.raises(ShapeError):
            detect([torch.rand(1, 256, 256)])

    def test_no_frames(self):
        with pytest.raises(SadTalkerError, match="got none"):
            detect([])
        with pytest.raises(SadTalkerError, match="with pixels"):
            detect([torch.rand(3, 0, 5)])
