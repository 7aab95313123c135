"""Messages as bits: exact, checked, and read in spite of errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.finish.watermark.payload import (
    ALPHABET,
    CODE_BITS,
    LONGEST_MESSAGE,
    PAYLOAD_BITS,
    decode,
    encode,
    message_of,
    payload_of,
)

MESSAGES = st.text(ALPHABET, min_size=1, max_size=LONGEST_MESSAGE).filter(lambda text: text.strip())


def test_the_alphabet_fills_six_bits():
    assert len(set(ALPHABET)) == 64


@given(MESSAGES)
def test_every_message_comes_back(message):
    payload = payload_of(message)
    assert payload.shape == (PAYLOAD_BITS,)
    assert message_of(payload) == message.rstrip()
    code = encode(payload)
    assert code.shape == (CODE_BITS,)
    assert np.array_equal(decode(np.where(code, 1.0, -1.0)), payload)


@given(MESSAGES, st.integers(0, PAYLOAD_BITS - 1))
def test_one_wrong_bit_is_noticed(message, place):
    payload = payload_of(message)
    payload[place] ^= True
    assert message_of(payload) is None


def test_the_code_is_that_of_its_generators():
    """The answer to a single 1 are the generators' digits, the newest bit first."""
    payload = np.zeros(PAYLOAD_BITS, bool)
    payload[0] = True
    answer = encode(payload).reshape(-1, 3)
    for column, generator in enumerate((0o133, 0o171, 0o165)):
        assert [int(bit) for bit in answer[:7, column]] == [generator >> step & 1 for step in range(7)]
    assert not answer[7:].any()


def test_one_wrong_code_bit_in_eight_is_put_right():
    random = np.random.default_rng(0)
    payload = payload_of("Take 7-b")
    code = np.where(encode(payload), 1.0, -1.0)
    for _ in range(50):
        received = code + random.normal(0, 0.9, CODE_BITS)
        assert np.array_equal(decode(received), payload)
    assert ((received > 0) != encode(payload)).mean() > 0.1


@pytest.mark.parametrize(
    ("message", "words"),
    [("", "got 0 characters"), ("   ", "got 0 characters"), ("too long a text", "got 15"), ("naïve", "among them ï")],
)
def test_what_cannot_be_hidden_is_named(message, words):
    with pytest.raises(SadTalkerError, match=f"1 to {LONGEST_MESSAGE} characters.*{words}"):
        payload_of(message)
