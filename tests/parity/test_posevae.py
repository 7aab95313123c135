"""Golden 04: PoseVAE before smoothing."""

import re

import pytest
import torch
from sadtalker_pack.sadtalker_core.posevae.predict import decode_motion
from sadtalker_pack.tests.support.audio_networks import rule_posevae
from sadtalker_pack.tests.support.goldens import golden, largest_error

GOLDEN = golden("04_posevae")
WINDOWS = GOLDEN["mel"][:, None]
CASES = [match.groups() for match in (re.fullmatch(r"T(\d+)_c(\d+)\.pose", name) for name in GOLDEN) if match]


@pytest.fixture(scope="module")
def posevae():
    return rule_posevae()


def test_audio_embedding(posevae):
    assert largest_error(posevae.embed(WINDOWS[1:9]), GOLDEN["audio_emb_frames1to8"]) < 1e-4


def test_decoder(posevae):
    motion = posevae.decode(GOLDEN["decoder.z"], torch.tensor([11]), torch.zeros(1, 6), GOLDEN["decoder.audio_emb"])
    assert largest_error(motion[0], GOLDEN["decoder.motion_class11_ref0"]) < 1e-5


@pytest.mark.parametrize(("frames", "style"), CASES)
def test_pose(posevae, frames, style):
    reference, latents, pose = (GOLDEN[f"T{frames}_c{style}.{part}"] for part in ("ref", "z", "pose"))
    audio = posevae.embed(WINDOWS[1 : int(frames)])
    motion = decode_motion(posevae, audio, reference, int(style), latents)
    assert largest_error(reference + motion, pose) < 1e-5


def test_latents_are_drawn_as_in_the_reference():
    recorded = GOLDEN["torch_seed1234_randn_1x64"]
    assert torch.equal(torch.randn(1, 64, generator=torch.Generator().manual_seed(1234)), recorded)
