"""Sentences of recordings in other voices: the recorded face comes when the other voice says the same sound."""

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.mel import log_mel
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.training.flite_speech import speak_flite
from sadtalker_pack.sadtalker_core.training.phoneme_speech import Phoneme
from sadtalker_pack.sadtalker_core.training.retold_speech import TELLERS, Sentence, moments_of_sounds, retold_utterances
from sadtalker_pack.sadtalker_core.training.speech_frames import Utterance, face_at, frame_seconds, frames_of
from sadtalker_pack.sadtalker_core.training.synthetic_speech import tell_by_espeak, within_silence

GRID = ("bin blue at F two now", "lay green with B four please", "set red by G nine again", "place white in C six soon")


def test_moments_go_from_sound_to_sound():
    here = [Phoneme("a", 1.0, 1.2), Phoneme("b", 1.2, 1.4)]
    there = [Phoneme("a", 2.0, 2.1), Phoneme("b", 2.2, 2.8)]
    moments = moments_of_sounds(torch.tensor([0.5, 1.0, 1.1, 1.2, 1.3, 1.4, 1.9]), here, there)
    assert moments.tolist() == pytest.approx([1.5, 2.0, 2.1, 2.2, 2.5, 2.8, 3.3])


def test_face_at_its_own_moments_is_the_face():
    original = recording(torch.rand(150, 80), torch.rand(30, 64))
    same = face_at("retold", original.mel, original, frame_seconds(30))
    assert torch.allclose(same.expression, original.expression, atol=1e-4)
    assert same.valid.all()
    between = face_at("retold", original.mel, original, frame_seconds(29) + 0.02)
    assert torch.allclose(between.expression, (original.expression[1:] + original.expression[:-1]) / 2, atol=1e-4)


def recording(mel, expression):
    valid = torch.ones(len(expression), dtype=torch.bool)
    return Utterance("recorded", mel, expression, valid, torch.zeros(64), torch.ones(len(expression)))


def test_retold_sentences_show_the_sounds_when_they_are_heard(tmp_path):
    pytest.importorskip("pyworld")
    try:
        speak_flite("a", "slt")
    except SadTalkerError as error:
        pytest.skip(str(error))
    random = np.random.default_rng(1)
    sentences = []
    for words in GRID * 2:
        speech = within_silence(tell_by_espeak(words, random), random)
        mel = log_mel(speech.samples)
        seconds = frame_seconds(frames_of(mel))
        loud = mel.logsumexp(1)[(seconds * 80).long()]
        expression = torch.zeros(len(seconds), 64)
        expression[:, 0] = loud  # a "face" that says how loud its own sound is
        sentences.append(Sentence(f"{len(sentences)}", words, recording(mel, expression)))
    made = retold_utterances(sentences, 0, tmp_path, workers=1)
    alike = []
    for utterance in made:
        heard = utterance.mel.float().logsumexp(1)[(frame_seconds(len(utterance.valid)) * 80).long()]
        alike.append(float(torch.corrcoef(torch.stack((heard, utterance.expression[:, 0])))[0, 1]))
    counts = [t.retellings * (7 if t.revoiced else 1) * len(sentences) for t in TELLERS.values()]
    assert len(made) == sum(counts)
    for teller, told in zip(TELLERS, np.split(np.array(alike), np.cumsum(counts)[:-1]), strict=True):
        assert np.median(told) > 0.7, teller
