"""The person cut out of the demo portrait and of pictures where it is known who belongs to them."""

from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.finish.place import cut_out as matte
from sadtalker_pack.sadtalker_core.finish.place.cut_out import cut_out, edge_colours, person_matte
from torch.nn import functional as F


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture, size=256)


@pytest.fixture(scope="module")
def track(face):
    """The portrait at rest, turned left, and turned right."""
    poses = face.coefficients.pose.repeat(3, 1)
    poses[1, 1] -= 0.25
    poses[2, 1] += 0.25
    return replace(face.coefficients, expression=face.coefficients.expression.repeat(3, 1), pose=poses)


@pytest.fixture(scope="module")
def frames(pack, face, track):
    driving = pack.mapping.keypoints(face, track)
    return pack.renderer.render(pack.renderer.prepare(face, driving.source), driving.driving)


class TestPerson:
    def test_is_found_before_the_background(self, pack, demo_picture):
        face = extract_face(pack.landmarker, pack.extractor, demo_picture, framing="full", size=0)
        found = person_matte(demo_picture, face.landmarks)
        assert found.shape == demo_picture.shape[1:]
        inside = face.landmarks[:, :2].long()
        assert found[inside[:, 1], inside[:, 0]].min() > 0.9
        assert found[:200, 430:].max() < 0.1  # the sky on the right
        assert found[560:, 150:400].min() > 0.9  # the uniform

    def test_given_is_taken_as_it_is(self, face, frames):
        person = torch.zeros(face.picture.shape[1:])
        person[:, :256] = 1
        _, mask = cut_out(face, frames[:1], person=person)
        middle = round((256 - face.crop.left) * face.crop.scale[0])
        assert mask[0, :, : middle - 12].min() > 0.9
        assert mask[0, :, middle + 12 :].max() < 0.1

    def test_given_in_another_size_is_named(self, face, frames):
        with pytest.raises(ShapeError, match=r"person: expected shape \(600, 512\), got \(64, 64\)"):
            cut_out(face, frames, person=torch.ones(64, 64))


class TestCut:
    def test_is_black_outside_and_the_person_inside(self, face, frames):
        cut, mask = cut_out(face, frames)
        assert cut.shape == frames.shape
        assert mask.shape == (3, *frames.shape[2:])
        assert 0 <= mask.min() <= mask.max() <= 1
        assert cut.permute(0, 2, 3, 1)[mask == 0].abs().max() == 0
        sure = (mask == 1)[:, None].expand_as(cut)
        assert sure.float().mean() > 0.3
        assert (cut - frames)[sure].abs().mean() < 0.02

    def test_mask_moves_as_the_renderer_moves_the_person(self, pack, face, frames, track):
        """Measured from the frames alone, it is where the renderer, which knows, takes each pixel from."""
        _, mask = cut_out(face, frames)
        keypoints = pack.mapping.keypoints(face, track)
        positions, _ = pack.renderer.source_positions(pack.renderer.prepare(face, keypoints.source), keypoints.driving)
        places = positions.permute(0, 2, 3, 1) * (2 / 256) - 1
        rest = mask[:1, None].expand(3, -1, -1, -1)
        known = F.grid_sample(rest, places, padding_mode="border", align_corners=False)[:, 0]
        carried, still = (mask - known)[1:].abs().mean(), (mask[:1] - known)[1:].abs().mean()
        assert carried < 0.01
        assert carried < 0.7 * still

    def test_background_takes_its_place(self, face, frames):
        _, mask = cut_out(face, frames)
        colours = torch.rand(2, 3, 1, 1)
        laid, _ = cut_out(face, frames, background=colours.expand(-1, -1, 40, 90))
        for index, colour in enumerate((colours[0], colours[1], colours[1])):
            outside = laid[index][:, mask[index] == 0]
            torch.testing.assert_close(outside, colour[:, :, 0].expand_as(outside))

    def test_does_not_depend_on_the_batch(self, face, frames, monkeypatch):
        together = cut_out(face, frames)
        monkeypatch.setattr(matte, "_BATCH", 1)
        for one, other in zip(together, cut_out(face, frames), strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=0)

    def test_enlarged_frames_are_cut_alike(self, face, frames):
        _, mask = cut_out(face, frames[1:2])
        large = F.interpolate(frames[1:2], scale_factor=2, mode="bilinear")
        _, double = cut_out(face, large)
        assert (F.avg_pool2d(double, 2) - mask).abs().mean() < 0.01

    def test_pasted_frames_show_the_whole_picture(self, face, demo_picture):
        _, mask = cut_out(face, demo_picture[None])
        assert mask.shape == (1, 600, 512)
        assert mask[0, 560:, 150:400].min() > 0.9

    def test_other_proportions_are_named(self, face):
        with pytest.raises(SadTalkerError, match=r"100x40 pixels.*256x256.*512x600"):
            cut_out(face, torch.rand(1, 3, 40, 100))

    def test_progress_may_interrupt(self, face, frames):
        calls = []
        cut_out(face, frames, on_progress=lambda *call: calls.append(call))
        assert calls == [(3, 3)]

    def test_no_frames(self, face):
        cut, mask = cut_out(face, torch.rand(0, 3, 256, 256))
        assert len(cut) == len(mask) == 0


def test_edges_lose_the_colour_behind():
    """Red before green, mixed over ten pixels: at the edge the person is red."""
    alpha = (torch.arange(64) - 27).div(10).clamp(0, 1).expand(1, 1, 64, 64)
    red, green = (torch.tensor(colour)[None, :, None, None] for colour in ((0.9, 0.1, 0.1), (0.1, 0.8, 0.1)))
    own = edge_colours(red * alpha + green * (1 - alpha), alpha, 8)
    assert (own - red).abs()[..., 30:].max() < 0.05
