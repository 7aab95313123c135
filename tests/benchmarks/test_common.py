import json

import pytest
from sadtalker_pack.benchmarks.common import Timing, environment, environment_line, format_table, measure, write_json


def test_warmup_runs_are_not_measured():
    calls = []
    timing, result = measure(lambda: calls.append(1) or len(calls), warmup=2, repeats=3)
    assert len(calls) == 5
    assert len(timing.runs) == 3
    assert result == 5


def test_two_results_are_never_alive_at_once():
    class Result:
        alive = 0
        most = 0

        def __init__(self):
            Result.alive += 1
            Result.most = max(Result.most, Result.alive)

        def __del__(self):
            Result.alive -= 1

    measure(Result, warmup=1, repeats=3)
    assert Result.most == 1


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="got 0"):
        measure(lambda: None, warmup=0, repeats=0)


def test_median_and_interquartile_range():
    timing = Timing((4.0, 1.0, 2.0, 3.0, 100.0))
    assert timing.median == 3
    assert timing.spread == 2
    assert Timing((1.5,)).spread == 0


def test_the_environment_names_machine_versions_and_commit(tmp_path):
    facts = environment(threads=2)
    assert facts["machine"]["threads"] == 2
    assert facts["versions"]["torch"]
    assert facts["versions"]["torch"] in environment_line(facts)
    write_json(tmp_path / "new" / "result.json", facts)
    assert json.loads((tmp_path / "new" / "result.json").read_text()) == facts


def test_tables_are_markdown():
    lines = format_table(["stage", "4 s"], [["a long name", "1"], ["b", "22.5 s"]]).splitlines()
    assert lines[0] == "| stage       |    4 s |"
    assert lines[1] == "| :---------- | -----: |"
    assert lines[3] == "| b           | 22.5 s |"
