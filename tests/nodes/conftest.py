"""Imports the real ComfyUI before any test module of this folder does; what several of them need."""

from __future__ import annotations

from dataclasses import replace

import pytest
import soundfile
import torch
from sadtalker_pack.sadtalker_core.packs.official.extractor import RegressorExtractor
from sadtalker_pack.tests.nodes.comfy_host import ROOT, run_node, use_comfy
from sadtalker_pack.tests.support.official_networks import rule_regressor

use_comfy()
SPEECH = ROOT / "sadtalker_core" / "assets" / "demo" / "speech.wav"


@pytest.fixture(scope="module")
def pack():
    return run_node("SadTalkerLoadModels", model="open (built in)")[0]


@pytest.fixture(scope="module")
def official_pack(pack):
    """Its extractor cuts out the face, as the original does, so that frames must be pasted back."""
    from sadtalker_pack.nodes.host import host_pack  # imports ComfyUI

    extractor = RegressorExtractor(256)
    extractor.regressor = rule_regressor()
    return host_pack(replace(pack.core, name="official 256", basis="bfm09", extractor=extractor.eval(), vertices=None))


@pytest.fixture(scope="module")
def image(demo_picture):
    return demo_picture.permute(1, 2, 0)[None]


@pytest.fixture(scope="module")
def face(pack, image):
    return run_node("SadTalkerExtract3DMM", pack=pack, image=image, framing="crop", size=256, face_index=0)[0]


@pytest.fixture(scope="module")
def audio():
    """Two seconds."""
    samples, rate = soundfile.read(SPEECH, dtype="float32", always_2d=True)
    return {"waveform": torch.from_numpy(samples[: 2 * rate].T.copy())[None], "sample_rate": rate}


@pytest.fixture(scope="module")
def mel(audio):
    return run_node("SadTalkerAudioToMel", audio=audio, fps=25.0)[0]
