"""The pack that ships against its targets: voices it never heard, and, where the data lies beside the repository or in
``SADTALKER_DATA``, real clips of people it never saw.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.evaluation.clips import RealClip, read_clips
from sadtalker_pack.sadtalker_core.evaluation.motion import measure_motion
from sadtalker_pack.sadtalker_core.evaluation.motion_table import motion_rows
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.training.phoneme_speech import voices

DATA = Path(os.environ.get("SADTALKER_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
GRID_STYLE = 5


def shortfalls(results, *, same_corpus: bool = False) -> list[str]:
    """Rows of the evaluation's table that miss their target, or were not measured."""
    rows = motion_rows(results, same_corpus=same_corpus)
    return [f"{row.measure}: {row.value}, expected {row.target}" for row in rows if not row.holds]


@pytest.mark.slow
def test_voices_that_were_never_heard(pack, demo_picture, demo_speech):
    """They speak, or keep silent, through the demo's portrait."""
    try:
        voices()
    except SadTalkerError as error:
        pytest.skip(str(error))
    face = extract_face(pack.landmarker, pack.extractor, demo_picture)
    height, width = face.cropped.shape[1:]
    clip = RealClip("demo", Path("demo"), face.landmarks[None], width, height, demo_speech)
    assert shortfalls(measure_motion(pack, [clip], ["phonemes", "silence"])) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "same_corpus", "styles"),
    [
        pytest.param("test", False, [], id="other corpora"),
        pytest.param("grid_multi", True, [GRID_STYLE], id="GRID's other speakers"),
    ],
)
def test_people_who_were_never_seen(pack, folder, same_corpus, styles, tmp_path):
    clips = DATA / "clips" / folder
    if not clips.is_dir():
        pytest.skip(f"no clips in {clips}")
    results = measure_motion(pack, read_clips(clips, tmp_path), ["mouth", "silence", "head"], styles)
    assert shortfalls(results, same_corpus=same_corpus) == []
