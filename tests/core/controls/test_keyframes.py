"""Keyframes: what a text says, and how values pass from one to the next."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.controls.keyframes import Keyframe, curves_of, last_frame, read_keyframes
from sadtalker_pack.sadtalker_core.errors import ControlError


class TestText:
    def test_reads_times_in_seconds_and_frames(self):
        text = "0 happy=0\n\n1.5s happy=0.8, brows=-.3  # up\n# nothing\n50f e7=2\n.5 yaw=-10"
        assert read_keyframes(text, 25.0) == [
            Keyframe(0.0, {"happy": 0.0}),
            Keyframe(0.5, {"yaw": -10.0}),
            Keyframe(1.5, {"happy": 0.8, "brows": -0.3}),
            Keyframe(2.0, {"e7": 2.0}),
        ]

    @pytest.mark.parametrize("text", ["", "\n\n", "  # only words"])
    def test_no_keyframes(self, text):
        assert read_keyframes(text, 25.0) == []
        assert last_frame([], 25.0) == 0

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("happy=1", "expected a time at the start"),
            ("-1 happy=1", "expected a time at the start"),
            ("1m happy=1", "expected a time at the start"),
            ("nan happy=1", "expected a time at the start"),
            ("1e3 happy=1", "expected a time at the start"),
            ("1", "the time has no values"),
            ("1 happy", "expected name=value"),
            ("1 happy=", "expected name=value"),
            ("1 happy=much", "expected name=value"),
            ("1 happy=2", "from 0 to 1, got 2"),
            ("1 happy=nan", "from 0 to 1, got nan"),
            ("1 joy=1", "no control 'joy'"),
            ("1 happy=1 happy=0", "given twice"),
            ("0.0s brows=1", "line 1 has the same time"),
            ("999999 happy=1", "up to 36000 seconds"),
        ],
    )
    def test_an_error_names_the_line(self, line, reason):
        with pytest.raises(ControlError, match=f"^Keyframes, line 3: .*{reason}"):
            read_keyframes(f"0 happy=0.5\n\n{line}", 25.0)

    def test_an_endless_text_is_refused(self):
        with pytest.raises(ControlError, match="at most 10000 lines"):
            read_keyframes("\n" * 10_001, 25.0)


def curve(*points, frames=101, fps=25.0):
    keyframes = [Keyframe(seconds, {"happy": value}) for seconds, value in points]
    return curves_of(keyframes, frames, fps)["happy"]


class TestCurves:
    def test_passes_through_the_keyframes_and_holds_outside(self):
        values = curve((1.0, 0.2), (2.0, 0.9), (3.0, 0.4))
        assert values[[0, 25, 50, 75, 100]].tolist() == pytest.approx([0.2, 0.2, 0.9, 0.4, 0.4])

    def test_starts_turns_and_ends_at_rest(self):
        speed = curve((1.0, 0.2), (2.0, 0.9), (3.0, 0.4)).diff().abs()
        assert float(speed[[25, 49, 50, 74]].max()) < 0.2 * float(speed.max())

    def test_one_keyframe_is_a_constant(self):
        assert set(curve((1.0, 0.5)).tolist()) == {0.5}

    def test_a_control_passes_lines_that_do_not_name_it(self):
        keyframes = [Keyframe(0, {"happy": 0, "yaw": 0}), Keyframe(1, {"yaw": 5}), Keyframe(2, {"happy": 1})]
        curves = curves_of(keyframes, 51, 25.0)
        assert float(curves["happy"][25]) == pytest.approx(0.5)
        assert float(curves["yaw"][50]) == 5.0

    @given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
    def test_never_leaves_the_range_of_its_values(self, values):
        found = curve(*((0.37 * number, value) for number, value in enumerate(values)))
        assert float(found.min()) >= min(values) - 1e-6
        assert float(found.max()) <= max(values) + 1e-6
        assert bool(torch.isfinite(found).all())

    @pytest.mark.parametrize("fps", [1.0, 12.5, 25.0, 29.97, 120.0])
    def test_is_the_same_motion_at_any_rate(self, fps):
        values = curve((0.0, 0.0), (2.0, 1.0), fps=fps, frames=round(4 * fps))
        assert float(values[round(fps)]) == pytest.approx(0.5, abs=0.03)
