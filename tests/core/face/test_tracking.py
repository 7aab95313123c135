"""A track must say what the landmarker says about each picture alone, only faster."""

from pathlib import Path

import cv2
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.face.tracking import track_landmarks

ASSETS = Path(__file__).resolve().parents[3] / "sadtalker_core" / "assets"
SIZE = 288


@pytest.fixture(scope="module")
def portrait():
    pixels = cv2.imread(str(ASSETS / "demo" / "portrait.jpg"))
    assert pixels is not None
    return pixels[:, :, ::-1].copy()


def view(portrait, x=0.0, y=0.0, degrees=0.0, zoom=0.45):
    """The portrait in a small frame, shifted by (x, y) pixels of it, turned, and scaled."""
    matrix = cv2.getRotationMatrix2D((265, 250), degrees, zoom)
    matrix[:, 2] += (SIZE / 2 - 265 + x, SIZE / 2 - 250 + y)
    pixels = cv2.warpAffine(portrait, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def alone(landmarker, frames):
    return torch.stack([landmarker.landmarks(frame, landmarker.detect(frame)[0]).points for frame in frames])


def errors(points, expected):
    """(T,) mean distance in the picture, as a share of the distance between the irises."""
    irises = (expected[:, 468, :2] - expected[:, 473, :2]).norm(dim=1)
    return (points - expected)[..., :2].norm(dim=-1).mean(1) / irises


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_a_moving_head_is_followed(landmarker, portrait, batch_size):
    frames = [view(portrait, 3.0 * t - 20, 1.5 * t, 1.5 * t - 10, 0.45 + 0.01 * t) for t in range(14)]
    track = track_landmarks(landmarker, frames, batch_size=batch_size)
    assert track.presence.min() > 0.99
    assert errors(track.points, alone(landmarker, frames)).max() < 0.015


def test_a_jump_within_a_batch_is_followed(landmarker, portrait):
    frames = [view(portrait, -50), view(portrait, -50), view(portrait, -15), view(portrait, 60, 20), view(portrait, 60)]
    track = track_landmarks(landmarker, frames, batch_size=5)
    assert track.presence.min() > 0.99
    assert errors(track.points, alone(landmarker, frames)).max() < 0.015


def test_frames_without_a_face_are_nan_and_the_face_is_found_again(landmarker, portrait):
    nothing = torch.rand(3, SIZE, SIZE)
    frames = [nothing, view(portrait), view(portrait, 2), nothing, nothing, view(portrait, -60), view(portrait, -58)]
    track = track_landmarks(landmarker, frames, batch_size=3)
    shown = torch.tensor([False, True, True, False, False, True, True])
    assert ((track.presence > 0.5) == shown).all()
    assert (track.presence[~shown] == 0).all()
    assert track.points[~shown].isnan().all()
    seen = [frame for frame, there in zip(frames, shown, strict=True) if there]
    assert errors(track.points[shown], alone(landmarker, seen)).max() < 0.015


def test_a_small_face_is_found_and_followed(landmarker, portrait):
    frames = [torch.full((3, 900, 1200), 0.5) for _ in range(3)]
    for t, frame in enumerate(frames):
        frame[:, 100 : 100 + SIZE, 700 + t : 700 + t + SIZE] = view(portrait, zoom=0.3)
    assert landmarker.detect_each(frames[0][None])[0] == ()
    track = track_landmarks(landmarker, frames)
    assert track.presence.min() > 0.9
    assert errors(track.points, alone(landmarker, frames)).max() < 0.015


def test_a_cut_to_another_place_is_noticed(landmarker, portrait, monkeypatch):
    """Even if the mesh network goes on to see a face where there is none any more."""
    monkeypatch.setattr("sadtalker_pack.sadtalker_core.face.tracking.MIN_SCORE", -1.0)
    frames = [view(portrait, -70, zoom=0.3)] * 2 + [view(portrait, 70, zoom=0.3)] * 26
    track = track_landmarks(landmarker, frames, batch_size=2)
    assert errors(track.points[-1:], alone(landmarker, frames[-1:])).max() < 0.015


def test_frames_may_come_from_a_generator_and_progress_is_told(landmarker, portrait):
    told: list[tuple[int, int]] = []
    frames = (view(portrait, t) for t in range(5))
    track = track_landmarks(
        landmarker, frames, batch_size=2, on_progress=lambda done, total: told.append((done, total))
    )
    assert len(track) == 5
    assert [done for done, _ in told] == [2, 4, 5]
    told.clear()
    track_landmarks(landmarker, [view(portrait)] * 3, batch_size=2, on_progress=lambda *step: told.append(step))
    assert told == [(2, 3), (3, 3)]


def test_no_frames_give_an_empty_track(landmarker):
    track = track_landmarks(landmarker, [])
    assert track.points.shape == (0, 478, 3)
    assert track.presence.shape == (0,)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_frames_of_another_size_are_refused(landmarker, batch_size):
    frames = [torch.rand(3, 64, 64), torch.rand(3, 64, 64), torch.rand(3, 64, 65)]
    with pytest.raises(ShapeError, match=r"frame: expected shape \(3, 64, 64\), got \(3, 64, 65\)"):
        track_landmarks(landmarker, frames, batch_size=batch_size)
