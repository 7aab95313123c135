"""The mesh renderer on the demo portrait, with its real landmarks."""

import math
from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.face.aperture import LEFT_EYE_SLIT, MOUTH, SLITS, measure_aperture
from sadtalker_pack.sadtalker_core.face.regions import (
    CHIN,
    INNER_LIPS,
    LEFT_EYE_CORNERS,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_EYE_CORNERS,
    RIGHT_IRIS,
)
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, Keypoints
from sadtalker_pack.sadtalker_core.geometry import rotation_from_angles
from sadtalker_pack.sadtalker_core.packs.open.eyelids import lashes
from sadtalker_pack.sadtalker_core.packs.open.renderer import MeshRenderer
from sadtalker_pack.sadtalker_core.packs.open.warp_field import build_warp_field
from sadtalker_pack.sadtalker_core.render.frames import iterate_frames, render_frames
from sadtalker_pack.tests.support.faces import source_face
from torch.nn import functional as F


def face_of(picture, landmarker):
    height, width = picture.shape[1:]
    landmarks = landmarker.landmarks(picture, landmarker.detect(picture)[0]).points
    own = Coefficients("open3", 25, expression=torch.zeros(1, 64), pose=torch.zeros(1, 6))
    return source_face(picture, picture, Crop(0, 0, width, height, width, height), landmarks, torch.zeros(80), own)


def face_with(face, picture, landmarks):
    return replace(face, picture=picture, cropped=picture, landmarks=landmarks)


@pytest.fixture(scope="module")
def face(demo_picture, landmarker):
    return face_of(demo_picture[:, :512], landmarker)


@pytest.fixture(scope="module")
def source(face):
    return MeshRenderer().prepare(face, face.landmarks)


def render(source, *driving):
    return MeshRenderer().render(source, torch.stack(driving))


def psnr(a, b):
    return -10 * math.log10((a - b).square().mean().item() + 1e-12)


def open_mouth(points, pixels):
    moved = points.clone()
    lower = [*INNER_LIPS[11:], *OUTER_LIPS[11:], *CHIN]
    moved[lower, 1] += pixels
    return moved


def drop_jaw(points, pixels):
    """A wide mouth: the lower lip and all below it drop, less towards the cheeks; the corners come half way."""
    corners = points[[OUTER_LIPS[0], OUTER_LIPS[10]], :2]
    middle, width = corners.mean(0), (corners[1, 0] - corners[0, 0])
    share = torch.exp(-(((points[:, 0] - middle[0]) / width).square() * 2))
    below = torch.zeros(478)
    below[list(OUTER_LIPS[11:] + INNER_LIPS[11:])] = 1.0
    below[points[:, 1] > points[list(OUTER_LIPS[11:]), 1].min() + 2] = 1.0
    below[[OUTER_LIPS[0], OUTER_LIPS[10], INNER_LIPS[0], INNER_LIPS[10]]] = 0.6
    moved = points.clone()
    moved[:, 1] += pixels * share * below
    return moved


def close_left_eye(points):
    moved = points.clone()
    for upper, lower in zip(LEFT_EYE_SLIT.upper[1:-1], LEFT_EYE_SLIT.lower[1:-1], strict=True):
        moved[upper] = moved[lower]
    return moved


def turn(points, angles):
    rotation = rotation_from_angles(torch.tensor([angles]))[0]
    centre = points.mean(0)
    return (points - centre) @ rotation.T + centre


def test_the_portraits_own_points_give_back_the_portrait(source, face):
    (frame,) = render(source, face.landmarks)
    assert psnr(frame, face.cropped) > 60


def test_moving_all_points_moves_the_face(source, face, landmarker):
    (frame,) = render(source, face.landmarks + torch.tensor((8.0, 5.0, 0.0)))
    found = landmarker.landmarks(frame, landmarker.detect(frame)[0]).points
    moved = (found - face.landmarks)[:, :2].median(0).values
    assert torch.allclose(moved, torch.tensor((8.0, 5.0)), atol=1.0)


@pytest.mark.parametrize("pixels", [8, 16])
def test_lips_open_as_far_as_the_points_say(source, face, landmarker, pixels):
    (frame,) = render(source, open_mouth(face.landmarks, pixels))
    found = landmarker.landmarks(frame, landmarker.detect(frame)[0]).points
    opened = (found[14, 1] - found[13, 1]) - (face.landmarks[14, 1] - face.landmarks[13, 1])
    assert opened.item() == pytest.approx(pixels, rel=0.35)


def test_an_open_mouth_shows_something_else_than_lips(source, face):
    closed, opened = render(source, face.landmarks, open_mouth(face.landmarks, 16))
    x, y = face.landmarks[14, 0].int(), (face.landmarks[14, 1] + 9).int()
    inside, lip = opened[:, y - 2 : y + 3, x - 5 : x + 6], closed[:, y - 2 : y + 3, x - 5 : x + 6]
    assert inside.mean() < 0.7 * lip.mean()


def test_parted_lips_show_teeth_when_they_open_further(face):
    """A dark gap between the portrait's lips is a shadow, not its teeth: it must not hang in a mouth that opens."""
    ajar = open_mouth(face.landmarks, 8)
    height, width = face.cropped.shape[1:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack((x, y), 2).reshape(1, -1, 2)
    (frame,) = render(MeshRenderer().prepare(face, face.landmarks), ajar)
    gap = measure_aperture(MOUTH, ajar[None]).view(pixels).cover.reshape(height, width)

    def brightness_above_the_seam(inside):
        """Of the mouth when it opens further, near the upper lip's edge."""
        portrait = torch.lerp(frame, torch.full_like(frame, inside), gap)
        own = face_with(face, portrait, ajar)
        source = MeshRenderer().prepare(own, ajar)
        rest, wider = render(source, ajar, open_mouth(ajar, 16))
        assert psnr(rest, portrait) > 38
        column, row = ajar[13, :2].round().int().tolist()
        return wider[:, row + 3 : row + 7, column - 8 : column + 9].mean().item()

    assert brightness_above_the_seam(0.05) > 0.25
    assert brightness_above_the_seam(0.9) > 0.8


def test_a_closing_eye_changes_only_its_surroundings(source, face):
    rest, frame = render(source, face.landmarks, close_left_eye(face.landmarks))
    changed = (frame - rest).abs().amax(0) > 0.02
    eye = face.landmarks[list(LEFT_EYE_SLIT.upper), :2].mean(0)
    y, x = torch.nonzero(changed).float().T
    assert changed.sum() > 100
    assert (torch.stack((x, y), 1) - eye).norm(dim=1).max() < 45


def test_the_iris_does_not_slide_while_the_lid_falls(source, face):
    half = face.landmarks.clone()
    for upper, lower in zip(LEFT_EYE_SLIT.upper[1:-1], LEFT_EYE_SLIT.lower[1:-1], strict=True):
        half[upper] = 0.65 * face.landmarks[upper] + 0.35 * face.landmarks[lower]
    (frame,) = render(source, half)
    x, y = face.landmarks[468, :2].int().tolist()
    below_pupil = (slice(None), slice(y + 1, y + 3), slice(x - 3, x + 4))
    assert psnr(frame[below_pupil], face.cropped[below_pupil]) > 30


@pytest.mark.parametrize("angles", [(0.26, 0.0, 0.0), (0.0, 0.26, 0.0), (0.0, -0.26, 0.17), (-0.26, 0.1, -0.2)])
def test_turned_heads_leave_the_border_and_tear_nothing(source, face, angles):
    (frame,) = render(source, turn(face.landmarks, angles))
    assert torch.isfinite(frame).all()
    for edge in (frame[:, 0] - face.cropped[:, 0], frame[:, :, 0] - face.cropped[:, :, 0]):
        assert edge.abs().max() < 0.1
    field = source.field
    vertices = field.mesh.drive(turn(face.landmarks, angles)[None], turn(field.mesh.vertices, angles)[None])
    backward = field.backward((vertices - field.mesh.vertices)[..., :2])
    # A step of more than its own length between neighbouring cells would be a visible tear.
    steps = torch.stack((backward.diff(dim=2).abs().amax(), backward.diff(dim=3).abs().amax()))
    assert steps.max() < 4 * field.stride


@pytest.mark.parametrize("pixels", [20, 40])
def test_the_lips_of_a_wide_mouth_stay_whole(source, face, pixels):
    """Every point of the lips' outline is shown where it was driven to, corners included."""
    driving = drop_jaw(face.landmarks, pixels)
    (positions,), _ = MeshRenderer().source_positions(source, driving[None])
    height, width = positions.shape[1:]
    places = driving[list(OUTER_LIPS), :2] * (2 / torch.tensor((width, height))) - 1
    shown = F.grid_sample(positions[None], places[None, None], align_corners=False)[0, :, 0].T
    assert (shown - face.landmarks[list(OUTER_LIPS), :2]).norm(dim=1).max() < 3


@pytest.mark.parametrize("angles", [(0.0, 0.26, 0.0), (0.0, -0.26, 0.0), (0.21, 0.0, 0.0), (0.0, 0.0, 0.26)])
def test_nothing_folds_over_at_fifteen_degrees(source, face, angles):
    driving = turn(face.landmarks, angles)[None]
    positions, trust = MeshRenderer().source_positions(source, driving)
    x, y = positions[0, :, :-1].diff(dim=2), positions[0, :, :, :-1].diff(dim=1)
    area = x[0] * y[1] - x[1] * y[0]
    # The person, without the edges to painted parts.
    person = torch.minimum(trust, MeshRenderer().matte(source, driving)[:, None])
    person = -F.max_pool2d(-person, 7, 1, 3)[0, 0, :-1, :-1] > 0.5
    assert person.float().mean() > 0.3
    # What the nose hides is hidden, not squeezed: its edge may take a few pixels.
    assert (area[person] <= 0).sum() <= 8


@pytest.mark.parametrize("angles", [(0.0, 0.26, 0.0), (0.0, -0.26, 0.0), (0.15, 0.0, 0.0), (0.0, 0.0, -0.26)])
def test_the_iris_keeps_its_place_between_the_eyes_corners(source, face, landmarker, angles):
    (frame,) = render(source, turn(face.landmarks, angles))
    found = landmarker.landmarks(frame, landmarker.detect(frame)[0]).points

    def along(points, iris, corners):
        start, end = points[list(corners), :2]
        axis = end - start
        return (points[iris, :2] - start) @ axis / axis.square().sum() * axis.norm()

    for iris, corners in ((LEFT_IRIS[0], LEFT_EYE_CORNERS), (RIGHT_IRIS[0], RIGHT_EYE_CORNERS)):
        width = (face.landmarks[corners[1], :2] - face.landmarks[corners[0], :2]).norm()
        seen = along(found, iris, corners) / (found[list(corners), :2].diff(dim=0).norm())
        assert abs(seen - along(face.landmarks, iris, corners) / width) * width < 2.5


def test_no_second_eye_shows_where_lids_would_cross(source, face):
    """Below lids that would cross the skin is that of the portrait."""
    crossed = close_left_eye(face.landmarks)
    crossed[list(LEFT_EYE_SLIT.upper[1:-1]), 1] += 6
    (frame,) = render(source, crossed)
    x, y = (int(value) for value in face.landmarks[list(LEFT_EYE_SLIT.lower), :2].mean(0))
    below = (slice(None), slice(y + 14, y + 26), slice(x - 12, x + 12))
    assert (frame[below] - face.cropped[below]).abs().max() < 0.15


def test_lashes_are_told_from_what_lies_above_the_lid():
    """A dark band at the lid's edge counts, a dark bar further up, as of glasses, does not."""
    points = torch.zeros(1, 478, 2)
    x = torch.linspace(40, 90, len(LEFT_EYE_SLIT.upper))
    for edge, sign in ((LEFT_EYE_SLIT.upper, -1), (LEFT_EYE_SLIT.lower, 1)):
        points[0, list(edge)] = torch.stack((x, 64 + sign * 8 * torch.sin((x - 40) / 50 * math.pi)), 1)
    eye = measure_aperture(LEFT_EYE_SLIT, points)
    rows = torch.arange(128.0)[:, None].expand(128, 128)
    edge = 64 - 8 * torch.sin((torch.arange(128.0) - 40).clamp(0, 50) / 50 * math.pi)
    above = edge - rows
    skin = torch.full((3, 128, 128), 0.7)
    assert lashes(skin, eye) == 0
    assert lashes(torch.where((above > 0) & (above < 6), 0.2, skin), eye) == 1
    assert lashes(torch.where((above > 7) & (above < 12), 0.2, skin), eye) == 0


def test_the_inverse_field_leads_back(source, face):
    """Following the frame's field and then the source's motion ends where it began."""
    field = source.field
    motion = torch.zeros(1, field.mesh.vertices.shape[0], 2)
    motion[:, :478] = (turn(face.landmarks, (0.05, 0.1, 0.05)) - face.landmarks)[None, :, :2]
    backward = field.backward(motion)
    again = field.backward(-motion)
    y, x = face.landmarks[4, :2].flip(0).div(field.stride).int().tolist()
    there = backward[0, :, y, x]
    y2, x2 = (torch.tensor((y, x)) + there.flip(0) / field.stride).round().int().tolist()
    assert (there + again[0, :, y2, x2]).norm() < 1.5


def test_source_positions_say_where_the_pixels_come_from(source, face):
    driving = turn(open_mouth(face.landmarks, 12), (0.1, 0.15, 0.1))
    (frame,) = render(source, driving)
    (positions,), (trust,) = MeshRenderer().source_positions(source, driving[None])
    height, width = trust.shape[1:]
    grid = positions.permute(1, 2, 0)[None] * (2 / torch.tensor((width, height))) - 1
    taken = F.grid_sample(face.cropped[None], grid, padding_mode="border", align_corners=False)[0]
    sure = trust[0] > 0.99
    assert sure.float().mean() > 0.7
    assert (taken - frame).abs().amax(0)[sure].max() < 0.03
    x, y = driving[[13, 14], :2].mean(0).int()
    assert trust[0, y, x] < 0.1


def test_the_matte_moves_with_the_person(source, face):
    shifted = face.landmarks + torch.tensor((12.0, 0.0, 0.0))
    rest, moved = MeshRenderer().matte(source, torch.stack((face.landmarks, shifted)))
    assert torch.allclose(rest, source.layers.matte[0], atol=1e-4)
    row = int(face.landmarks[10, 1])

    def left_edge(matte):
        return int(torch.nonzero(matte[row] > 0.5)[0])

    assert left_edge(moved) - left_edge(rest) == pytest.approx(12, abs=4)


def test_batches_equal_single_frames(source, face):
    points = [face.landmarks, open_mouth(face.landmarks, 10), turn(face.landmarks, (0.1, 0.1, 0.0))]
    together = render(source, *points)
    alone = torch.cat([render(source, one) for one in points])
    assert torch.allclose(together, alone, atol=1e-5)


def test_wild_points_still_give_a_picture(source, face):
    wild = face.landmarks + 60 * torch.randn(478, 3, generator=torch.Generator().manual_seed(3))
    outside = face.landmarks + torch.tensor((5000.0, -5000.0, 0.0))
    frames = render(source, wild, outside, torch.zeros(478, 3))
    assert torch.isfinite(frames).all()
    assert frames.min() >= 0
    assert frames.max() <= 1


@pytest.mark.parametrize("size", [(256, 256), (360, 640), (1024, 1024)])
def test_other_sizes(face, landmarker, size):
    picture = F.interpolate(face.cropped[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    other = face_of(picture, landmarker)
    source = MeshRenderer().prepare(other, other.landmarks)
    frames = render(source, other.landmarks, turn(other.landmarks, (0.0, 0.1, 0.0)))
    assert frames.shape == (2, 3, *size)
    assert psnr(frames[0], picture) > 38


def test_apertures_know_closed_from_open(face):
    for slit in SLITS:
        assert len(slit.upper) == len(slit.lower)
        aperture = measure_aperture(slit, face.landmarks[None])
        assert (aperture.knots.diff(dim=2) > 0).all()
        assert (aperture.heights[:, 0] >= aperture.heights[:, 1]).all()
    gap = measure_aperture(MOUTH, face.landmarks[None])
    closed = (gap.heights[0, 0] - gap.heights[0, 1]) / gap.length[0]
    again = measure_aperture(MOUTH, face.landmarks[None], closed)
    assert (again.heights[:, 0] - again.heights[:, 1]).abs().max() < 1e-3


def test_enlarging_a_window_equals_enlarging_all(face):
    from sadtalker_pack.sadtalker_core.pictures.grids import Window

    field = build_warp_field(face.landmarks, 512, 512, 2)
    backward = torch.randn(2, 2, 256, 256)
    whole = field.enlarge(backward, Window(0, 512, 0, 512))
    for window in (Window(101, 203, 50, 77), Window(0, 9, 480, 512)):
        assert torch.allclose(field.enlarge(backward, window), window.of(whole), atol=1e-5)


def test_wrong_shape_is_named(source):
    with pytest.raises(ShapeError, match="driving"):
        MeshRenderer().render(source, torch.zeros(2, 15, 3))


def test_render_frames_counts_and_can_be_interrupted(face):
    keypoints = Keypoints(face.landmarks, face.landmarks.expand(5, -1, -1), 25)
    seen = []
    frames = render_frames(MeshRenderer(), face, keypoints, batch_size=2, on_progress=lambda *step: seen.append(step))
    assert frames.shape == (5, *face.cropped.shape)
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert sum(batch.shape[0] for batch in iterate_frames(MeshRenderer(), face, keypoints, batch_size=3)) == 5

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_frames(MeshRenderer(), face, keypoints, batch_size=2, on_progress=stop)
