"""Detail of the picture in rendered frames: with known motion, with the mesh renderer, with the official networks."""

import math
from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.face.framing import OWN_SIZE
from sadtalker_pack.sadtalker_core.finish.sharpen.detail import detailed_size, likeness, transfer_detail
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, Keypoints
from sadtalker_pack.sadtalker_core.pictures.grids import pixel_grid
from sadtalker_pack.sadtalker_core.render.frames import render_frames
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.render_networks import rule_renderer
from torch.nn import functional as F

SIDE, SMALL = 512, 128
FACTOR = SIDE // SMALL


class KnownMotion:
    """A renderer that shifts the portrait by whole pixels of its own; the driving points say how far."""

    bytes_per_pixel = 100

    def __init__(self, coarse=1, error=0.0, trust=1.0):
        self.coarse, self.error, self.trust = coarse, error, trust

    def prepare(self, face, source_keypoints):
        return face.cropped

    def source_positions(self, source, driving):
        cells = SMALL // self.coarse
        still = (pixel_grid(cells, cells, 1, driving) * self.coarse).expand(len(driving), -1, -1, -1)
        shift = driving[:, 0, :2, None, None] + self.error
        return still + shift, torch.full((len(driving), 1, cells, cells), self.trust)


def reduced(pictures):
    return F.interpolate(pictures, (SMALL, SMALL), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def enlarged(frames, height=SIDE, width=SIDE):
    return F.interpolate(frames, (height, width), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def face_of(picture):
    own = Coefficients("open3", 25, expression=torch.zeros(1, 64), pose=torch.zeros(1, 6))
    crop = Crop(0, 0, SIDE, SIDE, SMALL, SMALL)
    return source_face(picture, reduced(picture[None])[0], crop, torch.zeros(478, 3), torch.zeros(80), own)


def keypoints_of(*shifts):
    return Keypoints(torch.zeros(1, 3), torch.tensor([[[x, y, 0.0]] for x, y in shifts]), 25)


def psnr(first, second):
    return -10 * math.log10((first - second).square().mean().item() + 1e-12)


def gradient(frames):
    """Root mean square of the differences between neighbours."""
    down, across = frames.diff(dim=2), frames.diff(dim=3)
    return float((down.square().mean() + across.square().mean()).sqrt())


@pytest.fixture(scope="module")
def picture(demo_picture):
    return demo_picture[:, :SIDE, :SIDE]


@pytest.fixture(scope="module")
def face(picture):
    return face_of(picture)


class TestKnownMotion:
    SHIFTS = ((3, 0), (-2, 5), (0, -4))
    INSIDE = (..., slice(64, -64), slice(64, -64))

    def moved(self, picture):
        """The picture as each frame should show it."""
        shifts = [(-FACTOR * y, -FACTOR * x) for x, y in self.SHIFTS]
        return torch.stack([picture.roll(shift, (1, 2)) for shift in shifts])

    def test_a_portrait_that_rests_is_the_picture_itself(self, face, picture):
        given = transfer_detail(KnownMotion(), face, keypoints_of((0, 0)), face.cropped[None])
        assert psnr(given[0], picture) > 60

    @pytest.mark.parametrize("coarse", [1, 4])
    def test_moved_detail_lies_where_it_belongs(self, face, picture, coarse):
        wanted = self.moved(picture)
        frames = reduced(wanted)
        given = transfer_detail(KnownMotion(coarse), face, keypoints_of(*self.SHIFTS), frames)[self.INSIDE]
        wanted, plain = wanted[self.INSIDE], enlarged(frames)[self.INSIDE]
        assert psnr(given, wanted) > 45
        assert psnr(given, wanted) > psnr(plain, wanted) + 10

    def test_an_error_of_the_field_is_found(self, face, picture):
        wanted = self.moved(picture)
        given = transfer_detail(KnownMotion(error=0.7), face, keypoints_of(*self.SHIFTS), reduced(wanted))
        wanted, plain = wanted[self.INSIDE], enlarged(reduced(wanted))[self.INSIDE]
        assert psnr(given[self.INSIDE], wanted) > psnr(plain, wanted) + 3

    def test_what_was_invented_gets_none(self, face):
        frame = face.cropped[None].clone()
        inside = (..., slice(60, 84), slice(50, 80))
        frame[inside] = 0.5 + 0.3 * torch.rand(frame[inside].shape).mean(1, keepdim=True).sub(0.5)
        given = transfer_detail(KnownMotion(), face, keypoints_of((0, 0)), frame)
        middle = (..., slice(66 * FACTOR, 78 * FACTOR), slice(56 * FACTOR, 74 * FACTOR))
        assert (given - enlarged(frame))[middle].abs().max() < 0.02
        assert (given - enlarged(frame)).abs().max() > 0.2  # elsewhere there is some

    def test_none_without_trust_or_strength(self, face):
        frame = face.cropped[None]
        for renderer, strength in ((KnownMotion(trust=0.0), 1.0), (KnownMotion(), 0.0)):
            given = transfer_detail(renderer, face, keypoints_of((0, 0)), frame, strength=strength)
            assert torch.allclose(given, enlarged(frame), atol=1e-6)

    def test_batches_do_not_matter(self, face, picture):
        frames, steps = reduced(self.moved(picture)), []
        one, all_at_once = (
            transfer_detail(
                KnownMotion(),
                face,
                keypoints_of(*self.SHIFTS),
                frames,
                batch_size=size,
                on_progress=lambda *step: steps.append(step),
            )
            for size in (1, 3)
        )
        assert torch.allclose(one, all_at_once, atol=1e-5)
        assert steps == [(1, 3), (2, 3), (3, 3), (3, 3)]

    def test_frames_of_another_size(self, face, picture):
        frames = F.interpolate(reduced(self.moved(picture)), (SMALL * 2, SMALL * 2), mode="bilinear")
        given = transfer_detail(KnownMotion(), face, keypoints_of(*self.SHIFTS), frames)
        assert psnr(given[self.INSIDE], self.moved(picture)[self.INSIDE]) > 30

    def test_frames_of_other_keypoints(self, face):
        with pytest.raises(SadTalkerError, match="each of the 2 sets of keypoints, got 1 frames"):
            transfer_detail(KnownMotion(), face, keypoints_of((0, 0), (1, 1)), face.cropped[None])


def test_likeness():
    texture = torch.rand(1, 3, 32, 32)
    assert likeness(texture, texture).min() > 0.999
    assert likeness(texture, torch.rand(1, 3, 32, 32)).mean() < 0.1
    flat = torch.full((1, 3, 32, 32), 0.5)
    assert likeness(flat, flat + 0.002 * torch.randn(flat.shape)).min() > 0.9
    assert likeness(flat, flat - 0.3).max() < 0.01


@pytest.mark.parametrize(
    ("box", "frame", "size"),
    [
        ((0, 0, 401, 401), (256, 256), (400, 400)),
        ((10, 20, 110, 220), (256, 512), (512, 256)),  # never smaller than the frames
        ((0, 0, 9000, 4500), (256, 128), (2048, 4096)),  # as frames at their own size
    ],
)
def test_size(face, box, frame, size):
    assert detailed_size(replace(face, crop=Crop(*box, *frame))) == size


@pytest.fixture(scope="module")
def rendered(pack, demo_picture):
    face, full = (
        extract_face(pack.landmarker, pack.extractor, demo_picture, framing="resize", size=size)
        for size in (256, OWN_SIZE)
    )
    own = face.coefficients
    turns = torch.tensor([[0.06, 0, 0, 0, 0, 0], [0, 0.15, 0, 0, 0, 0], [0, 0, 0.06, 0, 0, 0]])
    expression = own.expression + 0.05 * torch.randn(3, 64, generator=torch.Generator().manual_seed(1))
    points = pack.mapping.keypoints(face, Coefficients(own.basis, 25, expression, own.pose + turns))
    larger = torch.tensor((512 / 218, 600 / 256, 600 / 256))
    full_points = Keypoints(points.source * larger, points.driving * larger, 25)
    frames = render_frames(pack.renderer, face, points)
    full_frames = render_frames(pack.renderer, full, full_points)
    return (frames, full_frames), transfer_detail(pack.renderer, face, points, frames)


class TestMeshRenderer:
    """Frames of the open pack at a reduced size, compared with the same at the picture's own."""

    def test_is_as_sharp_as_rendered_at_full_size(self, rendered):
        (small, full), given = rendered
        assert given.shape == full.shape == (3, 3, 600, 512)
        assert gradient(enlarged(small, 600, 512)) < 0.75 * gradient(full)
        assert 0.9 < gradient(given) / gradient(full) < 1.05

    def test_is_closer_to_it_than_enlargement(self, rendered):
        (small, full), given = rendered
        plain = enlarged(small, 600, 512)
        assert psnr(given, full) > psnr(plain, full) + 1
        assert likeness(given, full).mean() > likeness(plain, full).mean() + 0.1


@pytest.fixture(scope="module")
def official(demo_picture):
    part = demo_picture[:, :512]
    small = F.interpolate(part[None], (256, 256), mode="bilinear", antialias=True)[0]
    own = Coefficients("bfm09", 25, expression=torch.zeros(1, 64), pose=torch.zeros(1, 6))
    crop = Crop(0, 0, 512, 512, 256, 256)
    face = source_face(demo_picture, small, crop, torch.zeros(478, 3), torch.zeros(80), own)
    random = torch.Generator().manual_seed(0)
    source = torch.rand(15, 3, generator=random) - 0.5
    moved = source + 0.1 * torch.randn(15, 3, generator=random)
    return rule_renderer(), face, Keypoints(source, torch.stack((source, moved)), 25)


class TestOfficialNetworks:
    def test_a_portrait_that_rests_comes_from_where_it_is(self, official):
        renderer, face, keypoints = official
        positions, trust = renderer.source_positions(renderer.prepare(face, keypoints.source), keypoints.driving)
        assert positions.shape == (2, 2, 64, 64)
        assert trust.shape == (2, 1, 64, 64)
        assert 0 <= trust.min() <= trust.max() <= 1
        still = pixel_grid(64, 64, 1, positions) * 4
        # A motion with a share below a thousandth is dropped, which draws places to the middle a little.
        assert (positions[0] - still[0]).abs().max() < 2
        assert (positions[1] - still[0]).abs().max() > 4

    def test_through_the_whole_transfer(self, official):
        renderer, face, keypoints = official
        frames = render_frames(renderer, face, keypoints)
        first, second = (transfer_detail(renderer, face, keypoints, frames) for _ in range(2))
        assert first.shape == (2, 3, 512, 512)
        assert torch.isfinite(first).all()
        assert 0 <= first.min() <= first.max() <= 1
        assert torch.equal(first, second)
