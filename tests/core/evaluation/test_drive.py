import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.evaluation.drive import mesh_model, resting_mouth, room_noise, speaking_mouth
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.flow import Waveform
from sadtalker_pack.sadtalker_core.metrics.mouth import best_common_lag, lagged_correlations

FRAME = 640


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture)


@pytest.fixture(scope="module")
def speech(demo_speech):
    return demo_speech.samples[: 75 * FRAME]


@pytest.mark.parametrize("shift", [-3, 2])
def test_shifted_audio_moves_the_best_lag_by_exactly_that_shift(pack, face, speech, shift):
    quiet = torch.zeros(abs(shift) * FRAME)
    shifted = torch.cat((quiet, speech)) if shift > 0 else torch.cat((speech[abs(shift) * FRAME :], quiet))
    heard = speaking_mouth(pack, face, Waveform(speech)).opening
    moved = speaking_mouth(pack, face, Waveform(shifted)).opening[: len(heard)]
    lags = lagged_correlations(moved, heard)
    assert best_common_lag([lags]) == shift
    assert lags[shift] > 0.97  # windows begin on whole columns of 12.5 ms, frames do not


def test_a_portrait_has_the_mouth_of_its_landmarks(pack, face):
    mouth = resting_mouth(mesh_model(pack), face)
    assert mouth.opening.shape == (1,)
    assert abs(float(mouth.opening)) < 0.03  # the demo portrait keeps her lips closed


def test_the_room_is_as_loud_as_it_says():
    noise = room_noise(2.0).samples
    assert float(10 * noise.square().mean().log10()) == pytest.approx(-50, abs=1e-3)
    assert torch.equal(noise, room_noise(2.0).samples)
    power = torch.fft.rfft(noise).abs().square()
    low, high = power[200:400].mean(), power[2000:4000].mean()  # 100-200 Hz, 1-2 kHz
    assert float(10 * (low / high).log10()) == pytest.approx(10, abs=1.5)


def test_a_pack_without_vertices_is_refused(pack):
    from dataclasses import replace

    with pytest.raises(SadTalkerError, match="478 vertices"):
        mesh_model(replace(pack, vertices=None))
