"""What a Python program gets from the package: the names, and README's example."""

import os
import re
import subprocess
import sys
from pathlib import Path

import av
import sadtalker_pack.sadtalker_core as core

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_there_and_described():
    assert sorted(core.__all__) == core.__all__
    assert [name for name in core.__all__ if not getattr(core, name).__doc__] == []


def test_the_readme_s_example_makes_a_video(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.split("\n")) <= 10
    # As a user who stands in the clone; only the video goes elsewhere, and the sentence is cut short.
    short = example.replace('"talking.mp4"', repr(str(tmp_path / "talking.mp4"))).replace(
        "head = ", "speech = type(speech)(speech.samples[:16_000])\nhead = "
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", short], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "talking.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 25
        assert video.streams.audio[0].rate == 16_000
