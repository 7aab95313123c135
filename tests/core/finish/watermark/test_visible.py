"""Texts and logos in corners of frames."""

import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.finish.watermark.visible import CORNERS, Placement, overlay_, text_logo

RED = torch.tensor([1.0, 0.0, 0.0, 1.0])[:, None, None]


def solid(height, width, colour=RED):
    return colour.expand(4, height, width)


def changed(before, after):
    """Rows and columns (top, bottom, left, right) in which frames differ."""
    rows, columns = (after != before).any(0).any(0).nonzero().unbind(1)
    return [int(edge) for edge in (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)]


class TestOverlay:
    @pytest.mark.parametrize("corner", CORNERS)
    def test_lies_in_its_corner_with_a_margin(self, corner):
        before = torch.full((2, 3, 200, 300), 0.5)
        after = overlay_(before.clone(), solid(30, 60), Placement(corner, 1.0, 0.1))
        top, bottom, left, right = changed(before, after)
        assert (bottom - top, right - left) == (20, 40)
        assert (top if "top" in corner else 200 - bottom) == 4
        assert (left if "left" in corner else 300 - right) == 4
        torch.testing.assert_close(after[:, :, top:bottom, left:right], RED[:3].expand(2, 3, 20, 40))

    def test_opacity_mixes(self):
        after = overlay_(torch.full((1, 3, 100, 100), 0.5), solid(10, 10), Placement(CORNERS[0], 0.4, 0.1))
        torch.testing.assert_close(after[0, :, 92, 92], torch.tensor([0.7, 0.3, 0.3]))

    def test_the_colour_of_what_is_transparent_does_not_bleed(self):
        logo = solid(64, 64).clone()
        logo[:3, :, 32:] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
        logo[3, :, 32:] = 0
        after = overlay_(torch.zeros(1, 3, 100, 100), logo, Placement(CORNERS[0], 1.0, 0.09))
        assert float(after[:, 1].max()) == 0
        assert float(after[:, 0].max()) == 1

    def test_one_too_wide_is_made_to_fit(self):
        before = torch.zeros(1, 3, 100, 100)
        top, bottom, left, right = changed(before, overlay_(before.clone(), solid(10, 1000), Placement(size=0.5)))
        assert (left, right) == (2, 98)
        assert bottom - top == 1

    def test_frames_of_one_pixel(self):
        after = overlay_(torch.zeros(1, 3, 1, 1), solid(8, 8), Placement(opacity=1.0))
        torch.testing.assert_close(after[0, :, 0, 0], RED[:3, 0, 0])


class TestText:
    def test_is_white_with_a_dark_outline(self):
        logo = text_logo("Made by AI")
        assert logo.shape[0] == 4
        assert logo.shape[2] > 3 * logo.shape[1]
        opaque = logo[:3, logo[3] > 0.99]
        assert float((opaque > 0.99).float().mean()) > 0.9
        outline = logo[:3, (logo[3] - 160 / 255).abs() < 0.01]
        assert outline.numel()
        assert float(outline.median()) == 0

    def test_can_be_read_on_white_and_on_black(self):
        for level in (0.0, 1.0):
            before = torch.full((1, 3, 256, 256), level)
            after = overlay_(before.clone(), text_logo("AI"))
            assert float((after - before).abs().max()) > 0.3

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "one line of 1 to 100 characters; got 0"),
            ("x" * 101, "got 101"),
            ("two\nlines", "one line"),
            ("人工智能", "has no 人 工 智 能. Connect a picture"),
        ],
    )
    def test_what_cannot_be_written_is_named(self, text, words):
        with pytest.raises(SadTalkerError, match=words):
            text_logo(text)


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"corner": "middle"}, "corner must be one of bottom right"),
            ({"opacity": 1.5}, r"opacity must lie in 0\.0\.\.1; got 1\.5"),
            ({"size": 0.0}, "size must lie in"),
            ({"size": math.nan}, "size must lie in"),
        ],
    )
    def test_placement(self, change, words):
        with pytest.raises(SadTalkerError, match=words):
            Placement(**change)

    @pytest.mark.parametrize("shape", [(4, 0, 5), (3, 5, 5), (5, 5)])
    def test_no_logo(self, shape):
        with pytest.raises(SadTalkerError, match=r"logo of shape \(4, height, width\)"):
            overlay_(torch.zeros(1, 3, 64, 64), torch.zeros(shape))

    def test_no_numbers(self):
        with pytest.raises(SadTalkerError, match="logo holds what is no number"):
            overlay_(torch.zeros(1, 3, 64, 64), torch.full((4, 5, 5), math.nan))
        with pytest.raises(SadTalkerError, match=r"numbers in 0\.\.1"):
            overlay_(torch.full((1, 3, 64, 64), math.nan), solid(5, 5))
