"""Expression Editor and Idle, and the picture that follows the sliders."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from sadtalker_pack.nodes import live_preview
from sadtalker_pack.nodes.host import host_pack
from sadtalker_pack.nodes.live_preview import MAX_SUBJECTS, SUBJECTS, UnknownTokenError, answer, read_request
from sadtalker_pack.sadtalker_core.controls.sliders import NAMES
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, ControlError, SadTalkerError
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.packs.official.load import load_official_pack
from sadtalker_pack.tests.nodes.comfy_host import run_node
from sadtalker_pack.tests.support.official_files import write_official_release

REST = dict.fromkeys(NAMES, 0.0) | {"keyframes": ""}
IDLE = {
    "seconds": 1.0,
    "fps": 25.0,
    "style": 0,
    "seed": 0,
    "pose_scale": 1.0,
    "blink_rate": 17.0,
    "gaze": 1.0,
    "loop": True,
}


class Queue:
    """What the preview needs of the host's queue."""

    def __init__(self, running=0):
        self.mutex, self.queue = threading.RLock(), []
        self.currently_running = dict.fromkeys(range(running))

    def get_tasks_remaining(self):
        return len(self.currently_running)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    yield host_pack(load_official_pack(write_official_release(folder, 256)))
    shutil.rmtree(folder)


def extract(pack, picture, size=256):
    image = picture.permute(1, 2, 0)[None]
    return run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="crop", size=size, face_index=0)[0]


def edit(pack, face, coefficients=None, **changes):
    return run_node("SadTalkerExpressionEditor", pack=pack, face=face, coefficients=coefficients, **{**REST, **changes})


class TestEditor:
    def test_at_rest_it_changes_nothing(self, pack, face):
        coefficients, picture = edit(pack, face)
        assert torch.equal(coefficients.expression, face.coefficients.expression)
        assert torch.equal(coefficients.pose, face.coefficients.pose)
        assert picture.shape == (1, face.crop.height, face.crop.width, 3)

    def test_sliders_change_every_frame_of_a_motion_alike(self, pack, face):
        motion = Coefficients("open3", 25.0, torch.randn(5, 64), torch.randn(5, 6))
        changed, _ = edit(pack, face, motion, smile=1.0, yaw=10.0)
        offset = changed.expression - motion.expression
        assert float(offset.abs().max()) > 0.05
        torch.testing.assert_close(offset, offset[:1].expand(5, -1), atol=1e-5, rtol=0)
        assert (changed.pose - motion.pose)[:, 1].rad2deg().tolist() == pytest.approx([10.0] * 5, abs=1e-3)

    def test_keyframes_decide_the_length_and_replace_their_slider(self, pack, face):
        changed, _ = edit(pack, face, keyframes="0 happy=0\n2s happy=1", happy=0.5, jaw=0.5)
        assert len(changed) == 51
        jaw_alone, _ = edit(pack, face, jaw=0.5)
        torch.testing.assert_close(changed.expression[0], jaw_alone.expression[0])
        both, _ = edit(pack, face, jaw=0.5, happy=1.0)
        torch.testing.assert_close(changed.expression[50], both.expression[0])

    def test_keyframes_follow_the_motions_rate_and_length(self, pack, face):
        motion = Coefficients("open3", 50.0, torch.zeros(20, 64), torch.zeros(20, 6))
        changed, _ = edit(pack, face, motion, keyframes="5f e3=2")
        assert len(changed) == 20
        assert changed.fps == 50.0
        assert set(changed.expression[:, 3].tolist()) == {2.0}

    def test_the_picture_shows_the_sliders(self, pack, face):
        _, rest = edit(pack, face)
        _, open_ = edit(pack, face, jaw=1.0)
        assert float((open_ - rest).abs().mean()) > 0.005

    @pytest.mark.parametrize("text", ["oops", "1 happy=7", "1 joy=1"])
    def test_bad_keyframes_name_their_line(self, pack, face, text):
        with pytest.raises(ControlError, match="line 1"):
            edit(pack, face, keyframes=text)

    def test_another_basis_is_named(self, pack, face):
        with pytest.raises(BasisMismatchError, match="bfm09"):
            edit(pack, face, Coefficients("bfm09", 25.0, torch.zeros(2, 64), torch.zeros(2, 6)))


class TestOfficial:
    @pytest.fixture(scope="class")
    def official_face(self, official, demo_picture):
        return extract(official, demo_picture)

    def test_head_and_coefficients_can_be_set(self, official, official_face):
        changed, picture = edit(official, official_face, yaw=10.0, keyframes="0 e5=0.4")
        own = official_face.coefficients
        assert float(changed.expression[0, 5] - own.expression[0, 5]) == pytest.approx(0.4, abs=1e-5)
        assert float((changed.pose - own.pose)[0, 1].rad2deg()) == pytest.approx(10.0, abs=1e-3)
        assert picture.shape == (1, 256, 256, 3)

    def test_sliders_change_what_the_networks_see_change(self, official, official_face):
        own = official_face.coefficients.expression
        half, whole, jaw = (
            edit(official, official_face, **values)[0].expression - own
            for values in ({"happy": 0.5}, {"happy": 1.0}, {"jaw": 1.0})
        )
        assert float(whole.norm()) > 0
        torch.testing.assert_close(whole, 2 * half, rtol=1e-3, atol=1e-5)
        assert abs(float(torch.cosine_similarity(whole, jaw))) < 0.99

    def test_gaze_is_refused(self, official, official_face):
        with pytest.raises(ControlError, match=r"no irises.*gaze_x cannot.*open networks"):
            edit(official, official_face, gaze_x=0.5)

    def test_idle(self, official, official_face):
        (track,) = run_node("SadTalkerIdle", pack=official, face=official_face, **IDLE)
        assert (len(track), track.basis) == (25, "bfm09")
        assert bool(torch.isfinite(track.expression).all() and torch.isfinite(track.pose).all())


class TestIdle:
    def test_is_a_motion_of_that_length(self, pack, face):
        (track,) = run_node("SadTalkerIdle", pack=pack, face=face, **{**IDLE, "seconds": 2.0, "fps": 30.0})
        assert (len(track), track.fps) == (60, 30.0)
        assert float(track.pose.std(0)[:3].max()) > 0

    def test_a_face_of_another_pack_is_named(self, pack, face):
        other = replace(face, basis="bfm09")
        with pytest.raises(BasisMismatchError, match="Idle"):
            run_node("SadTalkerIdle", pack=pack, face=other, **IDLE)


def request(token="t", values=None):
    return json.dumps({"token": token, "values": values or {}}).encode()


def ask(token, values, queue=None):
    return asyncio.run(answer(request(token, values), queue or Queue()))


def pixels(jpeg):
    picture = Image.open(BytesIO(jpeg))
    assert picture.format == "JPEG"
    return np.asarray(picture).astype(float)


class TestPreview:
    @pytest.fixture(scope="class")
    def token(self, pack, face):
        from sadtalker_pack.nodes.expression import _directions

        return SUBJECTS.add(pack, face, _directions(pack, face))

    def test_answers_a_picture_that_follows(self, token):
        status, rest = ask(token, dict.fromkeys(NAMES, 0))
        assert status == 200
        status, happy = ask(token, {"happy": 1, "yaw": -5.5})
        assert status == 200
        assert np.abs(pixels(happy) - pixels(rest)).mean() > 1

    def test_an_unknown_token_is_gone(self):
        status, reason = ask("guess", {})
        assert status == 404
        assert "Run the graph again" in reason

    def test_a_running_graph_comes_first(self, token):
        assert ask(token, {"happy": 1}, Queue(running=1)) == (409, "The queue is running.")

    def test_one_picture_at_a_time(self, token):
        with SUBJECTS._drawing:
            assert ask(token, {"happy": 1})[0] == 409
        assert ask(token, {"happy": 1})[0] == 200

    def test_networks_taken_away_meanwhile_are_no_failure(self, token, monkeypatch):
        queue = Queue()

        def fail(*_):
            queue.currently_running[0] = None
            raise RuntimeError("Expected all tensors to be on the same device")

        monkeypatch.setattr(live_preview, "draw_subject", fail)
        assert ask(token, {"happy": 1}, queue)[0] == 409

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"no json",
            b"\xff\xfe",
            b"[" * 16_000,
            b"[]",
            b"{}",
            b'{"token": "t"}',
            b'{"token": 1, "values": {}}',
            b'{"token": "t", "values": []}',
            b'{"token": "t", "values": {}, "path": "/etc/passwd"}',
            request(values={"joy": 1}),
            request(values={"e3": 1}),
            request(values={"happy": "1"}),
            request(values={"happy": True}),
            request(values={"happy": None}),
            request(values={"happy": 2}),
            request(values={"happy": float("nan")}),
            request(values={"yaw": float("inf")}),
            b'{"token": "t", "values": {"happy": 1' + b"0" * 400 + b"}}",
        ],
    )
    def test_what_is_no_request_is_refused(self, body):
        with pytest.raises(ControlError):
            read_request(body)
        status, reason = asyncio.run(answer(body, Queue()))
        assert status == 400
        assert reason

    def test_only_the_latest_portraits_are_kept(self, pack, face, token):
        tokens = [SUBJECTS.add(pack, face, None) for _ in range(MAX_SUBJECTS)]
        assert len({*tokens}) == MAX_SUBJECTS
        assert ask(token, {})[0] == 404
        assert ask(tokens[0], {})[0] == 200

    def test_errors_of_the_preview_are_the_packs(self):
        assert issubclass(UnknownTokenError, SadTalkerError)
