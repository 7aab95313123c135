"""Motion measured between pictures, and moving_margin that go along with it."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.finish.place.follow import follow, measured_motion, moving_margin
from sadtalker_pack.sadtalker_core.flow import Crop
from torch.nn import functional as F

CPU = torch.device("cpu")
CROP = Crop(80, 60, 180, 160, 100, 100)


def texture(height, width):
    """A picture (3, height, width) with detail that motion can be measured on."""
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2)
    return F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)[0].clamp(0, 1)


def shifted(picture, x, y):
    """What (3, h, w) shows after everything in it has moved by x and y pixels."""
    height, width = picture.shape[1:]
    padded = F.pad(picture[None], (20, 20, 20, 20), mode="replicate")[0]
    return padded[:, 20 - y : 20 - y + height, 20 - x : 20 - x + width]


class TestMotion:
    @pytest.mark.parametrize(("x", "y"), [(0, 0), (6, 0), (0, -4), (-5, 3)])
    def test_is_where_things_came_from(self, x, y):
        picture = texture(160, 200)
        motion = measured_motion(picture, shifted(picture, x, y)[None])
        pixels = motion[0] * torch.tensor((200.0, 160.0))[:, None, None]
        middle = pixels[:, 20:-20, 20:-20].flatten(1).median(1).values
        torch.testing.assert_close(middle, torch.tensor((float(-x), float(-y))), atol=0.3, rtol=0)

    def test_does_not_depend_on_the_frames_size(self):
        picture = texture(160, 160)
        frame = shifted(picture, 6, 2)[None]
        large = F.interpolate(frame, scale_factor=3, mode="bilinear")
        difference = measured_motion(picture, frame) - measured_motion(picture, large)
        assert difference.abs().median() < 0.003


class TestFollow:
    picture = texture(240, 300)[None]
    around = moving_margin(CROP, 300, 240, CPU)

    def test_without_motion_nothing_changes(self):
        moved = follow(self.picture, self.around, CROP, torch.zeros(2, 2, 50, 50))
        window = self.picture[..., self.around.rows, self.around.columns]
        torch.testing.assert_close(moved, window.expand(2, -1, -1, -1), atol=1e-4, rtol=0)

    def test_goes_along_at_the_box_and_rests_far_from_it(self):
        motion = torch.zeros(1, 2, 50, 50)
        motion[:, 0] = -0.06  # the box moves 6 pixels to the right
        whole = self.picture.clone()
        whole[..., self.around.rows, self.around.columns] = follow(self.picture, self.around, CROP, motion)
        edge = (0, slice(None), slice(CROP.top + 10, CROP.bottom - 10), slice(CROP.right - 4, CROP.right))
        expected = shifted(self.picture[0], 6, 0)[edge[1:]]
        assert (whole[edge] - expected).abs().mean() < 0.01
        assert torch.equal(whole[..., :10], self.picture[..., :10])
        assert (whole[..., -30:, :] - self.picture[..., -30:, :]).abs().max() < 1e-4

    def test_the_share_falls_from_the_box_to_the_edge_of_the_part(self):
        share = self.around.full_weight()
        rows, columns = self.around.rows, self.around.columns
        assert share.shape == (rows.stop - rows.start, columns.stop - columns.start)
        middle = share[(CROP.top + CROP.bottom) // 2 - rows.start]
        assert (middle.diff()[: CROP.left - columns.start] >= 0).all()
        assert middle[CROP.left - columns.start + 4 : CROP.right - columns.start - 4].min() == 1
        assert max(float(middle[0]), float(share[:, 0].max()), float(share[-1].max())) < 0.02

    @pytest.mark.parametrize("box", [(0, 0, 300, 200), (2, 1, 100, 239), (0, 0, 12, 12), (250, 200, 300, 240)])
    def test_works_at_the_border_of_the_picture(self, box):
        crop = Crop(*box, 64, 64)
        around = moving_margin(crop, 300, 240, CPU)
        motion = 0.1 * torch.randn(2, 2, 20, 20)
        moved = follow(self.picture, around, crop, motion)
        assert torch.isfinite(moved).all()
        assert moved.shape[2:] == around.full_weight().shape
