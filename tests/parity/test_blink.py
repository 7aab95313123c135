"""Golden 02: the reference's blink curve. Its other, regular variant is never called there and not built here."""

import random

import pytest
import torch
from sadtalker_pack.sadtalker_core.expnet.blink import original_blink
from sadtalker_pack.tests.support.goldens import golden, kit

GOLDEN = golden("02_blink")
SEEDED = {name: facts for name, facts in kit()["blink"].items() if "python_random_seed" in facts}


@pytest.mark.parametrize("name", SEEDED)
def test_seeded_curves(name):
    frames, facts = int(name.removeprefix("n")), SEEDED[name]
    choose, spans = random.Random(facts["python_random_seed"]).choice, []
    curve = original_blink(frames, lambda span: spans.append([span.start, span.stop]) or choose(span))
    assert torch.equal(curve.closure[:, None], GOLDEN[name])
    assert spans == facts["spans"]


def test_curve_of_given_draws():
    draws = iter(kit()["blink"]["fixed_n240"]["choices"])
    assert torch.equal(original_blink(240, lambda _: next(draws)).closure[:, None], GOLDEN["fixed_n240"])


def test_curve_of_the_speech():
    recorded = golden("01_audio")["ratio"]
    curve = original_blink(len(recorded), random.Random(kit()["input_seed"]).choice)
    assert torch.equal(curve.closure[:, None], recorded)


def test_where_the_reference_fails_the_eyes_stay_open():
    assert "IndexError" in kit()["blink"]["n21"]
    assert not original_blink(21, random.Random(0).choice).closure.any()
