from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.audio.windows import cut_windows
from sadtalker_pack.sadtalker_core.face.measures import mouth_opening
from sadtalker_pack.sadtalker_core.training.revoice import Copy
from sadtalker_pack.sadtalker_core.training.speech_data import close_lips
from sadtalker_pack.sadtalker_core.training.speech_frames import LEAD, Utterance, draw_batch, gather_frames, revoiced
from sadtalker_pack.sadtalker_core.training.synthetic_speech import SILENCE_WEIGHT, quiet_utterances

SHARES = {"recorded": 0.5, "revoiced": 0.3, "synthetic": 0.1, "silence": 0.1}


def utterance(model, seed, source="recorded", frames=30):
    random = torch.Generator().manual_seed(seed)
    return Utterance(
        source,
        torch.rand(frames * 80 // 25 + 1, 80, generator=random) * 6 - 3,
        torch.randn(frames, 64, generator=random) * model.expression_deviation,
        torch.rand(frames, generator=random) > 0.2,
        torch.zeros(64),
        torch.ones(frames),
    )


@pytest.fixture(scope="module")
def frames(model):
    utterances = [utterance(model, 0), utterance(model, 1), utterance(model, 2, "revoiced")]
    faces = torch.randn(7, 64, generator=torch.Generator().manual_seed(3)) * model.expression_deviation
    return gather_frames(model, utterances, faces, torch.ones(64) * 0.1)


def test_windows_are_those_of_the_application_but_for_the_lead(model):
    tracked, modelled = utterance(model, 0, frames=300), utterance(model, 1, "synthetic", 300)
    frames = gather_frames(model, [tracked, modelled], torch.zeros(1, 64), torch.zeros(64))
    windows = frames.windows(torch.arange(len(frames.start)), torch.Generator().manual_seed(5))
    of_tracked = int(tracked.valid.sum())
    led(windows[:of_tracked], tracked, LEAD["recorded"])
    led(windows[of_tracked:], modelled, LEAD["synthetic"])


def led(windows, of, lead):
    """The windows are those of the application, early by the whole columns around the lead; in the mean by it."""
    mel, less = of.mel.half().float(), int(lead)
    early = [
        (windows == cut_windows(torch.cat((mel[:1].expand(columns, -1), mel)), len(of.valid))[of.valid])
        .flatten(1)
        .all(1)
        for columns in (less, less + 1)
    ]
    assert (early[0] | early[1]).all()
    assert float(early[1].float().mean()) == pytest.approx(lead - less, abs=0.1)


def test_each_frame_knows_its_source(frames):
    assert {name: len(members) for name, members in frames.source.items()} == {
        "recorded": int(frames.count[:2].sum()),
        "revoiced": int(frames.count[2]),
    }


def test_batches_are_reproducible(frames):
    first, second = (draw_batch(frames, 32, SHARES, 0.2, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.mel, second.mel)
    assert torch.equal(first.target, second.target)


def test_silence_closes_the_lips_and_is_digital_in_part(model):
    closed = close_lips(model, torch.zeros(1, 64))[0]
    [quiet] = quiet_utterances(closed, 1, seed=0)
    laughing = torch.randn(20, 64, generator=torch.Generator().manual_seed(7)) * model.expression_deviation
    bare = gather_frames(model, [replace(utterance(model, 0), resting=closed), quiet], laughing, torch.zeros(64))
    shares = {"recorded": 0.5, "silence": 0.5}
    batch = draw_batch(bare, 400, shares, 0.0, torch.Generator().manual_seed(5))
    rows = batch.weight == SILENCE_WEIGHT
    assert 150 < int(rows.sum()) < 250
    digital = (batch.mel == -4).flatten(1).all(1)
    assert not (digital & ~rows).any()
    assert float(digital[rows].float().mean()) == pytest.approx(0.3, abs=0.1)
    silent = draw_batch(bare, 200, {"silence": 1.0}, 0.0, torch.Generator().manual_seed(5))
    given, wanted = (mouth_opening(model.mean + model.offsets(e)) for e in (silent.own, silent.target))
    assert wanted.mean() < 0.25 * given.mean()


def test_eyes_follow_the_ratio_and_nothing_else(frames):
    batch = draw_batch(frames, 64, SHARES, 1.0, torch.Generator().manual_seed(5))
    assert batch.ratio.min() >= 0
    assert batch.ratio.std() > 0.2
    open_eyes = draw_batch(frames, 64, SHARES, 0.0, torch.Generator().manual_seed(5))
    assert open_eyes.ratio.max() == 0


def test_a_stretched_copy_moves_the_mouth_with_its_sound():
    frames = 40
    expression = torch.arange(float(frames))[:, None].expand(-1, 64)
    original = Utterance(
        "recorded",
        torch.zeros(129, 80),
        expression,
        torch.ones(frames, dtype=torch.bool),
        torch.zeros(64),
        torch.ones(frames),
    )
    slow = revoiced(original, Copy(torch.zeros(258, 80), 2.0))
    assert slow.expression.shape[0] == 80
    # Frame 20 shows second 0.82, which was second 0.41 of the original: between its frames 9 and 10.
    assert slow.expression[20, 0] == pytest.approx(0.41 * 25 - 0.5)
