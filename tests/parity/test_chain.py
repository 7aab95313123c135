"""Goldens 09 and 10 from the recording to the keypoints; ``test_render`` goes on from there."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.waveform import mono_waveform
from sadtalker_pack.sadtalker_core.audio.windows import mel_windows
from sadtalker_pack.sadtalker_core.expnet.predict import predict_expression
from sadtalker_pack.sadtalker_core.flow import BlinkCurve, Coefficients, Crop, HeadTurn
from sadtalker_pack.sadtalker_core.packs.official.mapping import KeypointMapping, coefficient_rows, mapping_windows
from sadtalker_pack.sadtalker_core.posevae.predict import decode_motion
from sadtalker_pack.sadtalker_core.posevae.smoothing import smooth_pose
from sadtalker_pack.sadtalker_core.render.head_turn import angle_curve
from sadtalker_pack.sadtalker_core.tracks.scale import combine, scale_expression
from sadtalker_pack.tests.support.audio_networks import rule_expnet, rule_posevae
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.goldens import golden, kit, largest_error
from sadtalker_pack.tests.support.official_networks import rule_mapping
from sadtalker_pack.tests.support.render_networks import rule_keypoint_detector

AUDIO, SMALL, LARGE = golden("01_audio"), golden("09_render256"), golden("10_render512")
FIRST = SMALL["first_coeff"]
FRAMES = kit()["chain"]["frames"]
MEAN_FACE = torch.zeros(64)
"""The original scales expressions about it."""
LARGE_FRAME, LARGE_SCALE, LARGE_YAW, LARGE_PITCH = 20, 1.2, (-20, 30, 10), (5,)


@pytest.fixture(scope="module")
def coefficients():
    """Expression and smoothed pose as the networks predict them from the recording."""
    mel = mel_windows(mono_waveform(AUDIO["wav_pcm16"][None] / 32768, 16_000))
    blink = BlinkCurve(SMALL["ratio"][:, 0], 25)
    expression = Coefficients("bfm09", 25, predict_expression(rule_expnet(), mel, FIRST[0, :64], blink))
    posevae, own = rule_posevae(), FIRST[0, 64:70]
    audio = posevae.embed(mel.windows[1:])
    motion = decode_motion(posevae, audio, own, kit()["chain"]["pose_style"], SMALL["z"])
    return combine(expression, Coefficients("bfm09", 25, pose=smooth_pose(own + motion)))


def portrait(*, full):
    pixels = golden("07_keypoints")["image"].permute(2, 0, 1).float() / 255
    if full:
        pixels = pixels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    size = pixels.shape[1]
    own = Coefficients("bfm09", 25, FIRST[:, :64], FIRST[:, 64:70], FIRST[:, 70:73] if full else None)
    return source_face(pixels, pixels, Crop(0, 0, size, size, size, size), torch.zeros(478, 3), torch.zeros(80), own)


@pytest.fixture(scope="module")
def mapping():
    network = KeypointMapping(crop=rule_mapping("mapping_00229"), full=rule_mapping("mapping_00109"))
    network.detector = rule_keypoint_detector()
    return network.eval()


def test_coefficients(coefficients):
    assert largest_error(coefficient_rows(coefficients, portrait(full=False)), SMALL["coeff"]) < 1e-4


def test_keypoints_at_256(mapping, coefficients):
    keypoints = mapping.keypoints(portrait(full=False), coefficients)
    assert largest_error(keypoints.source, SMALL["kp_source"]) < 1e-4
    assert largest_error(keypoints.driving[FRAMES], SMALL["kp_driving"]) < 1e-4


class TestAt512:
    def test_window(self, coefficients):
        track = scale_expression(coefficients, LARGE_SCALE, MEAN_FACE)
        rows = coefficient_rows(track, portrait(full=True))
        (window,) = mapping_windows(rows, track.fps, torch.tensor([LARGE_FRAME]))
        assert largest_error(window, LARGE["target_window"]) < 1e-4

    def test_keypoints(self, mapping, coefficients):
        track = scale_expression(coefficients, LARGE_SCALE, MEAN_FACE)
        yaw = angle_curve(LARGE_YAW, len(track))
        assert largest_error(yaw, LARGE["yaw"]) < 1e-5
        turn = HeadTurn(yaw=yaw, pitch=angle_curve(LARGE_PITCH, len(track)))
        keypoints = mapping.keypoints(portrait(full=True), track, turn)
        # Some processors round to 1.1e-4; see test_keypoints for the detector in double precision.
        assert largest_error(keypoints.source, LARGE["kp_source"]) < 2e-4
        assert largest_error(keypoints.driving[LARGE_FRAME], LARGE["kp_driving"]) < 2e-4
