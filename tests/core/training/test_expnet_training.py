from dataclasses import replace

import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import WeightsError
from sadtalker_pack.sadtalker_core.expnet.model import ExpNet
from sadtalker_pack.sadtalker_core.training import expnet
from sadtalker_pack.sadtalker_core.training.checkpoint import restore_checkpoint, save_checkpoint
from sadtalker_pack.sadtalker_core.training.expnet import (
    ExpNetLoss,
    ExpNetTraining,
    amplify_speech,
    learning_curve,
    start_from_own,
    train_expnet,
)
from sadtalker_pack.sadtalker_core.training.speech_frames import LEAD, draw_batch, gather_frames

from .test_speech_frames import utterance


@pytest.fixture(scope="module")
def frames(model):
    return gather_frames(model, [utterance(model, 0)], torch.zeros(2, 64), torch.full((64,), 0.1))


@torch.no_grad()
def test_gain_multiplies_what_speech_does_and_keeps_silence(frames):
    network = ExpNet().eval()
    mel = torch.rand(5, 1, 80, 16) * 8 - 4
    mel[0] = -4
    own, ratio = torch.randn(5, 64), torch.rand(5, 1)
    before = network(mel, own, ratio)
    amplify_speech(network, frames, 1.5)
    after = network(mel, own, ratio)
    assert torch.allclose(before[0], after[0], atol=1e-4)
    features = network.audio_encoder(mel).flatten(1)
    spoken = (features - features[:1]) @ network.mapping1.weight[:, :512].T
    # What was added is a third of what speech does now, within the mouth's region.
    assert torch.allclose((after - before) @ torch.eye(64), added(spoken, frames.mouth, 1.5), atol=1e-3)


def added(spoken, mouth, gain):
    """Change of the output by a gain, from the amplified speech."""
    matrix = torch.eye(64) + (gain - 1) * mouth
    original = spoken @ torch.linalg.inv(matrix)
    return spoken - original


@torch.no_grad()
def test_before_training_all_but_speech_is_already_right(frames):
    network = ExpNet().eval()
    start_from_own(network, frames)
    network.mapping1.weight[:, :512] = 0
    own, mel = torch.randn(3, 64) * 0.3, torch.zeros(3, 1, 80, 16)
    made = network(mel, own, torch.zeros(3, 1))
    kept = torch.eye(64) - frames.mouth - frames.eyelids
    rest = frames.resting.mean(0) @ (frames.mouth + frames.eyelids)
    assert torch.allclose(made, own @ kept + rest, atol=1e-4)


def test_loss_is_zero_at_the_target_and_counts_weights(model):
    loss_of = ExpNetLoss(model, 4.0)
    target = torch.randn(4, 64) * model.expression_deviation
    assert all(term < 1e-6 for term in loss_of(target, target, torch.ones(4)).values())
    wrong = target + 0.1
    once, twice = (loss_of(wrong, target, torch.full((4,), weight)) for weight in (1.0, 2.0))
    assert all(twice[name] == pytest.approx(2 * once[name].item()) for name in once)


def test_learning_rate_rises_and_falls_to_nothing():
    rates = [learning_curve(step, [100]) for step in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[0] < 0.1
    assert rates[99] < 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_learning_rate_is_level_after_the_last_fall():
    assert {learning_curve(step, (100, 150)) for step in (150, 151, 500)} == {0.11}


def test_learning_rate_restarts_lower():
    rates = [learning_curve(step, (100, 150, 200)) for step in range(200)]
    assert rates[99] < 1e-3
    assert rates[100] == rates[150] == pytest.approx(0.15)
    assert rates[100:150] == sorted(rates[100:150], reverse=True)
    assert rates[149] < 1e-3
    assert rates[:150] == [learning_curve(step, (100, 150)) for step in range(150)]


def test_the_mean_of_the_weights_after_the_last_fall_is_kept(model, frames, tmp_path, monkeypatch):
    seen = []

    def note(path, step, run, modules, *_):
        seen.append(modules["network"].mapping1.weight.detach().clone())

    monkeypatch.setattr(expnet, "CHECKPOINT_STEPS", 1)
    monkeypatch.setattr(expnet, "save_checkpoint", note)
    kept, _ = train_expnet(
        model, frames, ExpNetTraining(falls=(2,), averaged=3, anchor=2, batch_size=4), tmp_path / "none"
    )
    assert len(seen) == 5
    # The weights after the last fall count for two steps here.
    assert torch.allclose(kept.mapping1.weight, (2 * seen[1] + sum(seen[2:])) / 5, atol=1e-6)


def test_nothing_is_averaged_if_so_asked(model, frames, tmp_path):
    training = ExpNetTraining(falls=(2,), averaged=0, batch_size=4)
    start = ExpNet()
    same, _ = train_expnet(model, frames, training, tmp_path / "none", start)
    assert all(map(torch.equal, start.state_dict().values(), same.state_dict().values()))
    trained, _ = train_expnet(model, frames, training, tmp_path / "none")
    longer, _ = train_expnet(model, frames, replace(training, averaged=1, anchor=10**12), tmp_path / "none")
    assert torch.allclose(trained.mapping1.weight, longer.mapping1.weight, atol=1e-6)


def test_an_interrupted_run_goes_on_exactly(model, frames, tmp_path, monkeypatch):
    def stop(path, step, *state):
        save_checkpoint(path, step, *state)
        if step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(expnet, "CHECKPOINT_STEPS", 2)
    training = ExpNetTraining(falls=(3,), averaged=3, batch_size=4)
    whole, _ = train_expnet(model, frames, training, tmp_path / "whole.safetensors")
    with monkeypatch.context() as interrupted:
        interrupted.setattr(expnet, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train_expnet(model, frames, training, tmp_path / "parted.safetensors")
    resumed, _ = train_expnet(model, frames, training, tmp_path / "parted.safetensors")
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))


def test_a_run_does_not_go_on_with_other_settings_or_data(model, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(expnet, "CHECKPOINT_STEPS", 2)
    training, path = ExpNetTraining(falls=(2,), averaged=0, batch_size=4), tmp_path / "a.safetensors"
    train_expnet(model, frames, training, path)
    before = path.read_bytes()
    with pytest.raises(
        WeightsError, match=r"other settings or data: falls \[2\], now \[3\]; anchor 2700, now 9\. Delete"
    ):
        train_expnet(model, frames, replace(training, falls=(3,), anchor=9), path)
    fewer = replace(frames, source=frames.source | {"recorded": frames.source["recorded"][1:]})
    with pytest.raises(WeightsError, match=r"frames recorded \d+, now \d+\. Delete"):
        train_expnet(model, fewer, training, path)
    assert path.read_bytes() == before


def test_a_trained_network_only_goes_through_the_steps_that_are_averaged(model, frames, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(expnet, "CHECKPOINT_STEPS", 1)
    monkeypatch.setattr(expnet, "save_checkpoint", lambda path, step, *_: steps.append(step))
    start = ExpNet()
    start.mapping1.bias.data += 1.0
    training = ExpNetTraining(falls=(3,), averaged=2, batch_size=4)
    kept, _ = train_expnet(model, frames, training, tmp_path / "none", start)
    assert steps == [4, 5]
    moved = (kept.mapping1.bias - start.mapping1.bias).abs()
    assert 0 < moved.max() < 0.1


def test_sources_have_their_own_lead_while_the_weights_are_averaged(model, frames, tmp_path, monkeypatch):
    leads = []

    def note(frames, *arguments):
        leads.append(frames.lead.unique().tolist())
        return draw_batch(frames, *arguments)

    monkeypatch.setattr(expnet, "draw_batch", note)
    train_expnet(model, frames, ExpNetTraining(falls=(2,), averaged=1, batch_size=4), tmp_path / "none")
    assert leads == [[2.0], [2.0], [pytest.approx(LEAD["recorded"])]]


def test_without_a_file_a_run_starts_at_the_beginning(tmp_path):
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    assert restore_checkpoint(tmp_path / "none", {}, {"network": network}, optimiser, torch.Generator()) == 0
