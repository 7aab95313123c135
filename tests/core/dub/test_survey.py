"""First reading of a video: where its face is, and which frames show it at rest and speaking."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.dub.survey import mouth_gap, survey_faces
from sadtalker_pack.sadtalker_core.errors import FaceNotFoundError, SadTalkerError
from sadtalker_pack.sadtalker_core.progress import no_progress


@pytest.fixture(scope="module")
def video(pack, demo_picture):
    """The demo portrait, reduced; with a grey frame in the middle."""
    small = torch.nn.functional.interpolate(demo_picture[None], scale_factor=0.5, mode="bilinear", antialias=True)[0]
    return [small, torch.full_like(small, 0.5), small.clone()]


def survey(landmarker, frames, **options):
    given = {"face_index": 0, "on_progress": no_progress, "total": len(frames)} | options
    return survey_faces(landmarker, frames, **given)


def test_frames_without_a_face_are_told(landmarker, video):
    found = survey(landmarker, video)
    assert len(found) == 3
    assert found.found.tolist() == [True, False, True]
    assert found.gap.isfinite().tolist() == [True, False, True]
    assert torch.equal(found.rest.picture, video[0])


def test_progress_counts_the_frames(landmarker, video):
    steps = []
    survey(landmarker, video, on_progress=lambda *step: steps.append(step))
    assert steps[-1] == (3, 3)


def test_a_video_without_frames_or_faces_is_refused(landmarker, video):
    with pytest.raises(SadTalkerError, match="no frames"):
        survey(landmarker, [])
    with pytest.raises(FaceNotFoundError, match="None of the 2 frames"):
        survey(landmarker, [video[1], video[1]])


def test_the_gap_is_the_largest_opening_in_mouth_widths(model):
    closed = model.mean * torch.tensor((100.0, -100.0, -100.0))
    opened = closed.clone()
    opened[14, 1] = opened[13, 1] + 30
    width = float((closed[78] - closed[308])[:2].norm())
    assert mouth_gap(opened) == pytest.approx(30 / width, rel=0.05)
    assert mouth_gap(closed) < 0.2  # lips of the mean face are a little apart
