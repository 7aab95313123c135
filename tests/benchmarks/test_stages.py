"""The stage benchmark's tables say what was measured; the command runs on the smallest picture there is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sadtalker_pack.benchmarks import reference_cost
from sadtalker_pack.benchmarks.stages import AUDIO_STAGES, RENDER_STAGES, audio_table, generator_table, render_table

ROOT = Path(__file__).resolve().parents[2]


def timing(seconds):
    return {"median_s": seconds, "iqr_s": 0.0, "runs_s": [seconds], "processor_s": 2 * seconds}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def render_case(size):
    stages = {stage: timing(2.0) for stage in RENDER_STAGES}
    plain = {"generator": timing(3.0), "peak_memory_mib": 3000.0}
    return {"size": size, "batch": 1, "threads": 2, "peak_memory_mib": 2000.0, "plain": plain} | stages


def test_audio_stages_stand_beside_the_reference():
    theirs = reference_cost.AUDIO[1]["ExpNet"]
    case = {"threads": 1} | {stage: timing(theirs / 2) for stage in AUDIO_STAGES}
    line = audio_table([case]).splitlines()[3]
    assert cells(line) == ["ExpNet", "s of audio", "1", f"{theirs / 2:.4f}", f"{theirs:.4f}", "2.00"]


def test_stages_without_a_figure_of_the_reference():
    lines = render_table([render_case(256), render_case(128)]).splitlines()
    assert cells(lines[-2])[-3:] == ["2.00", "9.47", "4.74"]
    assert cells(lines[-1])[-3:] == ["2.00", "-", "-"]


def test_the_generator_stands_beside_its_plain_formulation():
    line = cells(generator_table([render_case(256)]).splitlines()[-1])
    assert line == ["256", "1", "2", "2.00", "3.00", "1.50", "4.00", "6.00", "1.50", "2000", "3000", "2114"]


@pytest.mark.slow
def test_command(tmp_path):
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks.stages", "--json", str(result)]
    small = ["--sizes", "128", "--batches", "2", "--threads", "1"]
    done = subprocess.run([*command, *small], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(result.read_text())
    (audio,), (render,) = report["audio"], report["render"]
    assert all(audio[stage]["median_s"] > 0 for stage in AUDIO_STAGES)
    assert all(render[stage]["median_s"] > 0 for stage in RENDER_STAGES)
    assert render["plain"]["generator"]["processor_s"] > 0
    assert report["reference"] in done.stdout
