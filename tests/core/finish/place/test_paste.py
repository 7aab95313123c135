"""Pasting: what stays, what changes, and OpenCV's clone as the measure."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.finish.place import paste
from sadtalker_pack.sadtalker_core.finish.place.paste import paste_back, show_through
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.tests.support.faces import source_face
from torch.nn import functional as F


def face_in(picture, crop):
    own = Coefficients("bfm09", 25, torch.zeros(1, 64), torch.zeros(1, 6))
    return source_face(picture, picture, crop, torch.zeros(478, 3), torch.zeros(80), own)


def smooth_picture(count, height, width):
    """Random 8-bit pictures (count, 3, height, width) without hard edges."""
    coarse = torch.rand(count, 3, height // 12 + 3, width // 12 + 3)
    fine = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return (fine * 255).round().clamp(0, 255) / 255


def levels(pictures):
    return (pictures * 255).round()


def clone(face, frame):
    """What the original does with one frame (3, h, w)."""
    crop = face.crop
    size = (crop.right - crop.left, crop.bottom - crop.top)
    pixels, picture = (
        np.ascontiguousarray(levels(value).byte().permute(1, 2, 0).numpy()) for value in (frame, face.picture)
    )
    patch = cv2.resize(pixels, size)
    centre = ((crop.left + crop.right) // 2, (crop.top + crop.bottom) // 2)
    cloned = cv2.seamlessClone(patch, picture, np.full_like(patch, 255), centre, cv2.NORMAL_CLONE)
    return torch.from_numpy(cloned).permute(2, 0, 1)


@pytest.mark.parametrize(
    "box",
    [(30, 20, 151, 141), (31, 21, 111, 140), (0, 0, 100, 90), (92, 85, 203, 187), (0, 0, 203, 187), (50, 50, 59, 60)],
    ids=str,
)
def test_equals_opencv(box):
    face = face_in(smooth_picture(1, 187, 203)[0], Crop(*box, 64, 72))
    frames = smooth_picture(2, 72, 64)
    pasted, _ = paste_back(face, frames)
    for frame, ours in zip(frames, pasted, strict=True):
        difference = (levels(ours) - clone(face, frame)).abs()
        assert difference.max() <= 1
        assert (difference > 0).float().mean() < 0.02


class TestResult:
    picture = smooth_picture(1, 120, 140)[0]
    face = face_in(picture, Crop(20, 30, 100, 90, 40, 30))

    def test_is_the_picture_outside_the_mask(self):
        pasted, mask = paste_back(self.face, torch.rand(3, 3, 30, 40))
        assert pasted.shape == (3, 3, 120, 140)
        assert mask.shape == (120, 140)
        assert mask.sum() == (80 - 4) * (60 - 4)
        assert torch.equal(pasted[:, :, mask == 0], self.picture[:, mask == 0].expand(3, -1, -1))
        assert (pasted != self.picture)[:, :, mask == 1].float().mean() > 0.9

    def test_keeps_colours_outside_that_are_finer_than_8_bits(self):
        picture = torch.rand(3, 120, 140)
        pasted, mask = paste_back(face_in(picture, self.face.crop), torch.rand(1, 3, 30, 40))
        assert torch.equal(pasted[0][:, mask == 0], picture[:, mask == 0])

    def test_is_the_picture_where_the_frame_is_what_it_covers(self):
        pasted, _ = paste_back(self.face, self.picture[None, :, 30:90, 20:100])
        assert torch.equal(levels(pasted[0]), levels(self.picture))

    def test_takes_brightness_from_the_picture(self):
        darker = levels(self.picture[None, :, 30:90, 20:100] * 0.5 + 0.25)
        brighter = darker + 40
        assert brighter.max() <= 255
        dark, bright = (paste_back(self.face, frames / 255)[0] for frames in (darker, brighter))
        assert (levels(dark) - levels(bright)).abs().max() <= 1

    def test_lies_in_8_bits(self):
        pasted, mask = paste_back(self.face, torch.rand(2, 3, 30, 40))
        inside = 255 * pasted[:, :, mask == 1]
        assert (inside - inside.round()).abs().max() < 1e-4
        assert inside.min() >= 0
        assert inside.max() <= 255

    def test_has_its_colours_last_in_memory(self):
        pasted, _ = paste_back(self.face, torch.rand(2, 3, 30, 40))
        assert pasted.is_contiguous(memory_format=torch.channels_last)

    def test_does_not_depend_on_the_batch(self, monkeypatch):
        frames = smooth_picture(5, 30, 40)
        together, _ = paste_back(self.face, frames)
        monkeypatch.setattr(paste, "_WORKING_MEMORY", 0)
        assert (levels(together) - levels(paste_back(self.face, frames)[0])).abs().max() <= 1

    def test_changes_neither_the_face_nor_the_frames(self):
        picture, frames = self.picture.clone(), torch.rand(2, 3, 30, 40)
        before = frames.clone()
        paste_back(self.face, frames)
        assert torch.equal(frames, before)
        assert torch.equal(self.face.picture, picture)


class TestBackground:
    picture = smooth_picture(1, 120, 140)[0]
    left = face_in(picture, Crop(10, 30, 60, 90, 40, 30))
    right = face_in(picture, Crop(80, 30, 130, 90, 40, 30))

    def test_two_faces_speak_in_one_picture(self):
        one, two = torch.rand(2, 3, 3, 30, 40)
        both, _ = paste_back(self.right, two, background=paste_back(self.left, one)[0])
        assert torch.equal(both[..., :70], paste_back(self.left, one)[0][..., :70])
        assert (levels(both)[..., 70:] - levels(paste_back(self.right, two)[0])[..., 70:]).abs().max() <= 1

    @pytest.mark.parametrize(("frames", "behind"), [(2, 5), (5, 2), (1, 4), (4, 1)])
    @pytest.mark.parametrize("moves", [False, True])
    def test_the_shorter_holds_its_last(self, frames, behind, moves, monkeypatch):
        monkeypatch.setattr(paste, "_WORKING_MEMORY", 0)
        clip, background = torch.rand(frames, 3, 30, 40), torch.rand(behind, 3, 120, 140)
        pasted, _ = paste_back(self.left, clip, background=background, moves_surroundings=moves)
        assert len(pasted) == max(frames, behind)
        for index, picture in enumerate(pasted):
            frame, before = clip[min(index, frames - 1)], background[min(index, behind - 1)]
            alone = paste_back(self.left, frame[None], background=before[None], moves_surroundings=moves)[0][0]
            assert (picture - alone).abs().max() < 1.5 / 255

    def test_another_size_is_named(self):
        with pytest.raises(ShapeError, match=r"background: expected shape \(N, 3, 120, 140\), got \(2, 3, 64, 64\)"):
            paste_back(self.left, torch.rand(2, 3, 30, 40), background=torch.rand(2, 3, 64, 64))


class TestMask:
    face = TestResult.face
    frames = torch.rand(2, 3, 30, 40)

    def test_decides_how_much_is_seen(self):
        share = torch.rand(120, 140)
        pasted, changed = paste_back(self.face, self.frames, mask=share[None])
        full, inside = paste_back(self.face, self.frames)
        assert torch.equal(changed, share * inside)
        torch.testing.assert_close(pasted, torch.lerp(self.face.picture.expand(2, -1, -1, -1), full, share))

    def test_may_change_from_frame_to_frame(self):
        shares = torch.stack((torch.zeros(120, 140), torch.ones(120, 140)))
        pasted, changed = paste_back(self.face, self.frames, mask=shares)
        assert torch.equal(pasted[0], self.face.picture)
        assert torch.equal(pasted[1], paste_back(self.face, self.frames)[0][1])
        assert changed.max() == 1

    def test_another_size_is_named(self):
        with pytest.raises(ShapeError, match=r"mask: expected shape \(M, 120, 140\), got \(1, 64, 64\)"):
            paste_back(self.face, self.frames, mask=torch.rand(1, 64, 64))

    def test_covers_frames_of_the_whole_picture(self):
        share = torch.zeros(1, 120, 140)
        share[..., :70] = 1
        shown, where = show_through(self.face, torch.ones(3, 3, 60, 70), share)
        assert shown.shape == (3, 3, 60, 70)
        assert torch.equal(shown[..., :34], torch.ones(3, 3, 60, 34))
        small = F.interpolate(self.face.picture[None], (60, 70), mode="bilinear", antialias=True, align_corners=False)
        torch.testing.assert_close(shown[:1, ..., 37:], small[..., 37:])
        assert where.shape == (60, 70)


class TestSurroundings:
    """The box cuts through a stripe; inside it everything has moved, as when a head turns and its neck is cut."""

    @staticmethod
    def turned(x):
        y, across = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="ij")
        bent = across - x * (1 - ((y - 80) / 80).clamp(0, 1))
        stripe = ((bent - 100).abs() < 25).float()
        soft = F.avg_pool2d((0.2 + 0.6 * stripe)[None, None], 3, 1, 1, count_include_pad=False)
        return (soft * (1 + 0.1 * torch.sin(y / 5))).clamp(0, 1)[0].expand(3, -1, -1)

    def test_what_crosses_the_edge_stays_whole(self):
        crop = Crop(50, 20, 150, 120, 100, 100)
        truth, still = self.turned(8), self.turned(0)
        face = replace(face_in(still, crop), cropped=still[:, 20:120, 50:150])
        frame = truth[None, :, 20:120, 50:150]
        ring = (slice(None), slice(None), slice(112, 136), slice(50, 150))
        errors = {}
        for moves in (False, True):
            pasted, changed = paste_back(face, frame, moves_surroundings=moves)
            errors[moves] = float((pasted - truth)[ring].abs().mean())
            assert torch.equal(pasted[0][:, changed == 0], still[:, changed == 0]) or moves
        assert errors[True] < 0.6 * errors[False]

    def test_at_rest_the_picture_is_the_picture(self):
        crop, still = Crop(50, 20, 150, 120, 100, 100), self.turned(0)
        face = replace(face_in(still, crop), cropped=still[:, 20:120, 50:150])
        pasted, _ = paste_back(face, still[None, :, 20:120, 50:150], moves_surroundings=True)
        assert (pasted - still).abs().max() <= 1.5 / 255


class TestProgress:
    face = face_in(torch.rand(3, 60, 60), Crop(10, 10, 50, 50, 16, 16))

    def test_counts_frames(self, monkeypatch):
        monkeypatch.setattr(paste, "_WORKING_MEMORY", 0)
        calls = []
        paste_back(self.face, torch.rand(3, 3, 16, 16), on_progress=lambda *call: calls.append(call))
        assert calls == [(1, 3), (2, 3), (3, 3)]

    def test_may_interrupt(self):
        def interrupt(done, total):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            paste_back(self.face, torch.rand(3, 3, 16, 16), on_progress=interrupt)


class TestUnusual:
    def test_a_box_that_is_all_border_changes_nothing(self):
        picture = torch.rand(3, 60, 60)
        for right, bottom in ((18, 50), (50, 18), (12, 11)):
            face = face_in(picture, Crop(10, 10, right, bottom, 16, 16))
            pasted, mask = paste_back(face, torch.rand(2, 3, 16, 16))
            assert torch.equal(pasted, picture.expand(2, -1, -1, -1))
            assert not mask.any()

    def test_no_frames(self):
        pasted, mask = paste_back(TestProgress.face, torch.rand(0, 3, 16, 16))
        assert pasted.shape == (0, 3, 60, 60)
        assert mask.any()

    def test_frames_with_colours_last_are_named(self):
        with pytest.raises(ShapeError, match=r"frames: expected shape \(T, 3, h, w\), got \(2, 16, 16, 3\)"):
            paste_back(TestProgress.face, torch.rand(2, 16, 16, 3))

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
    def test_works_on_the_device_of_the_frames(self):
        frames = smooth_picture(4, 16, 16)
        here, _ = paste_back(TestProgress.face, frames)
        there, mask = paste_back(TestProgress.face, frames.cuda())
        assert there.is_cuda
        assert mask.is_cuda
        assert (levels(here) - levels(there.cpu())).abs().max() <= 1
