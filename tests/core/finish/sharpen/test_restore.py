"""Faces are found, restored, and put back into larger frames; networks are simple functions here."""

import math

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError, ShapeError
from sadtalker_pack.sadtalker_core.face.landmarks import load_landmarker
from sadtalker_pack.sadtalker_core.face.tracking import LandmarkTrack
from sadtalker_pack.sadtalker_core.files.assets import OPEN_ASSETS
from sadtalker_pack.sadtalker_core.finish.sharpen.aligned_faces import TEMPLATE, align_faces, cut_faces
from sadtalker_pack.sadtalker_core.finish.sharpen.restore import Enhancement, enhance_frames
from torch.nn import functional as F

CPU = torch.device("cpu")
SIDE = 320


@pytest.fixture(scope="module")
def frame(demo_picture):
    return F.interpolate(demo_picture[None, :, 44:416, 78:450], (SIDE, SIDE), mode="bilinear", antialias=True)[0]


@pytest.fixture(scope="module")
def points(frame):
    landmarker = load_landmarker(OPEN_ASSETS / "landmarker.safetensors")
    return landmarker.landmarks(frame, landmarker.detect(frame)[0]).points


def track_of(points, count, missing=()):
    many = points.repeat(count, 1, 1)
    presence = torch.ones(count)
    many[list(missing)], presence[list(missing)] = torch.nan, 0.0
    return LandmarkTrack(many, presence)


@pytest.fixture(scope="module")
def frames(frame):
    return frame.repeat(3, 1, 1, 1)


@pytest.fixture(scope="module")
def faces(points):
    return align_faces(track_of(points, 3))


def sharpen(pictures):
    return (2 * pictures - F.avg_pool2d(F.pad(pictures, (4,) * 4, mode="replicate"), 9, 1)).clamp(0, 1)


def turned(points, frame, degrees):
    """A frame and its points, turned about the middle."""
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    back = torch.tensor([[[cos, sin, 0], [-sin, cos, 0]]])
    grid = F.affine_grid(back, [1, 3, SIDE, SIDE], align_corners=False)
    picture = F.grid_sample(frame[None], grid, mode="bicubic", align_corners=False)[0]
    moved = points.clone()
    moved[:, :2] = (points[:, :2] - SIDE / 2) @ torch.tensor([[cos, -sin], [sin, cos]]).T + SIDE / 2
    return picture, moved


def psnr(first, second):
    return -10 * math.log10((first - second).square().mean().item() + 1e-12)


class TestAlignment:
    def test_features_lie_where_networks_expect_them(self, points, faces):
        inverse = torch.linalg.inv(torch.cat((faces.matrices[0], torch.tensor([[0.0, 0, 1]]))))
        places = torch.cat((points[[468, 473, 4, 61, 291], :2], torch.ones(5, 1)), 1) @ inverse.T
        assert (places[:, :2] - torch.tensor(TEMPLATE)).norm(dim=1).max() < 25

    def test_a_tilted_head_is_cut_upright(self, frame, points):
        picture, moved = turned(points, frame, 20)
        upright, tilted = (
            cut_faces(each[None], align_faces(track_of(place, 1)).matrices)[0]
            for each, place in ((frame, points), (picture, moved))
        )
        face = (..., slice(100, 450), slice(130, 390))
        assert psnr(upright[face], tilted[face]) > 35

    def test_large_faces_are_reduced_without_aliasing(self, points):
        stripes = torch.zeros(1, 3, 2048, 2048)
        stripes[..., ::2] = 1
        cut = cut_faces(stripes, align_faces(track_of(points * (2048 / SIDE), 1)).matrices)
        assert (cut - 0.5).abs().max() < 0.1

    def test_trembling_landmarks_do_not_shake_the_crop(self, points):
        shaken = points + torch.randn(40, 1, 3).expand(-1, 478, -1)
        steps = align_faces(LandmarkTrack(shaken, torch.ones(40))).matrices[:, :, 2].diff(dim=0).std()
        assert steps < 0.2 * shaken[:, 0, :2].diff(dim=0).std()

    def test_short_gaps_are_bridged_and_long_ones_fade(self, points):
        track = track_of(points, 30, missing=(3, *range(10, 30)))
        faces = align_faces(track)
        assert torch.isfinite(faces.matrices).all()
        assert torch.allclose(faces.matrices[3], faces.matrices[0], atol=1e-4)
        assert faces.shares[:3].eq(1).all()
        assert 0.7 < faces.shares[3] < 1
        assert faces.shares[9:].diff().le(0).all()
        assert faces.shares[16:].eq(0).all()

    def test_no_face_at_all(self, points):
        with pytest.raises(FaceNotFoundError, match="None of the 2 frames shows a face"):
            align_faces(track_of(points, 2, missing=(0, 1)))


class TestEnhance:
    def enhance(self, frames, faces, restore, **options):
        return enhance_frames(frames, Enhancement(**options), CPU, restore=restore, faces=faces)

    @pytest.mark.parametrize("scale", [1.0, 2.0])
    def test_a_network_that_changes_nothing_changes_nothing(self, frames, faces, scale):
        same = self.enhance(frames, faces, lambda given: given, scale=scale)
        assert torch.equal(same, self.enhance(frames, faces, None, scale=scale))
        if scale == 1:
            assert torch.equal(same, frames)

    def test_the_face_is_sharpened_and_nothing_else(self, frames, faces):
        plain, restored = (self.enhance(frames, faces, each) for each in (None, sharpen))
        aligned = faces.matrices * 2
        before, after = (cut_faces(each, aligned)[..., 150:400, 180:330] for each in (plain, restored))
        assert after.diff(dim=3).square().mean() > 1.5 * before.diff(dim=3).square().mean()
        assert torch.equal(plain[..., :40, :], restored[..., :40, :])
        assert torch.equal(plain[..., :60], restored[..., :60])

    def test_weight(self, frames, faces):
        plain, half, full = (self.enhance(frames, faces, sharpen, weight=weight) for weight in (0.0, 0.5, 1.0))
        inside = (full > 0.01) & (full < 0.99)
        assert torch.allclose((half - plain)[inside], 0.5 * (full - plain)[inside], atol=1e-4)
        assert torch.equal(plain, self.enhance(frames, faces, None))

    def test_colours_stay(self, frames, faces):
        def tinted(given):
            return (given * torch.tensor((0.9, 1.0, 1.05))[:, None, None] + 0.05).clamp(0, 1)

        plain, restored = (
            cut_faces(self.enhance(frames, faces, each, scale=1.0), faces.matrices) for each in (None, tinted)
        )
        face = (..., slice(150, 430), slice(150, 360))
        assert (tinted(plain) - plain)[face].mean((0, 2, 3)).abs().max() > 0.03
        assert (restored - plain)[face].mean((0, 2, 3)).abs().max() < 0.004

    def test_faces_larger_than_the_network_keep_their_finest_detail(self, points):
        frames = torch.rand(1, 3, 1280, 1280)
        faces = align_faces(track_of(points * 4, 1))
        restored = self.enhance(frames, faces, lambda given: (given + 0.1 * given.flip(3)).clamp(0, 1), scale=1.0)
        assert torch.corrcoef(torch.stack((restored, frames)).flatten(1))[0, 1] > 0.99

    def test_batches_do_not_matter(self, frames, faces):
        sizes, steps = [], []

        def restore(given):
            sizes.append(len(given))
            return sharpen(given)

        results = [
            enhance_frames(
                frames,
                Enhancement(batch_size=size),
                CPU,
                restore=restore,
                faces=faces,
                on_progress=lambda *step: steps.append(step),
            )
            for size in (2, 3)
        ]
        assert sizes == [2, 1, 3]
        assert steps == [(1, 3), (2, 3), (3, 3)] * 2
        assert torch.allclose(*results, atol=1e-4)

    def test_background_by_a_network(self, frames, faces):
        def enlarge(given):
            return F.interpolate(given, scale_factor=4, mode="nearest")

        larger = enhance_frames(frames, Enhancement(scale=2.0), CPU, enlarge=enlarge)
        assert larger.shape == (3, 3, 640, 640)
        assert psnr(larger, F.interpolate(frames, (640, 640), mode="bilinear")) > 28
        restored = enhance_frames(frames, Enhancement(scale=2.0), CPU, enlarge=enlarge, restore=sharpen, faces=faces)
        assert torch.equal(larger[..., :60], restored[..., :60])
        assert (larger - restored).abs().max() > 0.1

    def test_sides_are_even(self):
        assert enhance_frames(torch.rand(1, 3, 31, 45), Enhancement(scale=1.5), CPU).shape == (1, 3, 46, 68)
        assert enhance_frames(torch.rand(1, 3, 31, 45), Enhancement(scale=1.0), CPU).shape == (1, 3, 32, 44)

    @pytest.mark.parametrize("options", [{"scale": 0.5}, {"weight": 1.5}, {"stability": -1.0}, {"batch_size": 0}])
    def test_options_out_of_range(self, options):
        (name,) = options
        with pytest.raises(SadTalkerError, match=f"{name} must lie in"):
            Enhancement(**options)

    def test_faces_of_other_frames(self, frames, faces):
        with pytest.raises(ShapeError, match="faces"):
            self.enhance(frames[:2], faces, sharpen)


class TestFlicker:
    """A network that draws other noise in each frame, beside what stays: both with the strength of real ones."""

    COUNT = 9

    def restored(self, frame, points, stability):
        random = torch.Generator().manual_seed(3)

        def noise(count):
            drawn = torch.randn(count, 3, 512, 512, generator=random)
            return 0.03 * (drawn - F.avg_pool2d(F.pad(drawn, (2,) * 4), 5, 1))

        steady = noise(1)
        # The head drifts, so that the face is not where it was.
        frames = torch.stack([frame.roll(step, 2) for step in range(self.COUNT)])
        drift = torch.zeros(self.COUNT, 1, 3)
        drift[:, 0, 0] = torch.arange(self.COUNT)
        faces = align_faces(LandmarkTrack(points + drift, torch.ones(self.COUNT)))
        larger = enhance_frames(
            frames,
            Enhancement(scale=2.0, stability=stability),
            CPU,
            restore=lambda given: (given + steady + noise(len(given))).clamp(0, 1),
            faces=faces,
        )
        aligned = cut_faces(larger, faces.matrices * 2)[2:-2, :, 150:420, 160:350]
        fine = aligned - F.avg_pool2d(aligned, 9, 1, 4)
        return float(fine.var(0).mean()), float(fine.mean(0).square().mean().sqrt())

    def test_falls_and_what_stays_is_kept(self, frame, points):
        (before, sharp), (after, still_sharp) = (self.restored(frame, points, stability) for stability in (0.0, 0.5))
        assert after < 0.4 * before
        assert still_sharp > 0.95 * sharp
