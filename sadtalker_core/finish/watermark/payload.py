"""Message -> bits that can be read although many of them arrive wrong, and back.

A message has up to eight characters of six bits and a checksum of 16 bits (CRC-CCITT). A convolutional code of
constraint length 7 and rate 1/3 (generators 133, 171, 165 octal, the best of that length: Lin & Costello, Error Control
Coding, 2004, table 12.1) makes three code bits of each; the Viterbi algorithm finds the most likely message from what
arrives of them.
"""

from __future__ import annotations

from binascii import crc_hqx

import numpy as np
from numpy.typing import NDArray

from ...errors import SadTalkerError

LONGEST_MESSAGE = 8
"""characters"""
ALPHABET = " ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
"""What a message may be made of; the space first, since shorter messages are filled up with it."""
DEFAULT_MESSAGE = "AI video"
_CHARACTER_BITS, _CHECKSUM_BITS = 6, 16
PAYLOAD_BITS = LONGEST_MESSAGE * _CHARACTER_BITS + _CHECKSUM_BITS
_GENERATORS = (0o133, 0o171, 0o165)
_MEMORY = 6
"""bits of the past that take part in each code bit; so many zeros end a message"""
CODE_BITS = len(_GENERATORS) * (PAYLOAD_BITS + _MEMORY)
_STATES = 1 << _MEMORY
_OUTPUTS = np.array([[(register & g).bit_count() & 1 for g in _GENERATORS] for register in range(2 * _STATES)], bool)
"""(128, 3) the code bits of each content of the register, whose lowest bit is the newest"""

Bits = NDArray[np.bool_]


def payload_of(message: str) -> Bits:
    """The 64 payload bits of a message.

    Raises:
        SadTalkerError: it is empty, longer than eight characters, or has others than ``ALPHABET``.
    """
    message = message.rstrip()
    strange = sorted(set(message) - set(ALPHABET))
    if not message or len(message) > LONGEST_MESSAGE or strange:
        came = f"{len(message)} characters" + (f", among them {' '.join(strange)}" if strange else "")
        raise SadTalkerError(
            f"The invisible mark holds a message of 1 to {LONGEST_MESSAGE} characters: the letters A to Z and a to z, "
            f"digits, '-' and spaces; got {came}. Shorten the message, or switch the invisible mark off."
        )
    indices = np.array([ALPHABET.index(character) for character in message.ljust(LONGEST_MESSAGE)], np.uint8)
    text = np.unpackbits(indices[:, None], axis=1)[:, -_CHARACTER_BITS:].reshape(-1)
    return np.concatenate((text, _checksum(text))).astype(bool)


def message_of(payload: Bits) -> str | None:
    """The message of 64 payload bits; None if the checksum does not fit."""
    text, checksum = payload[:-_CHECKSUM_BITS], payload[-_CHECKSUM_BITS:]
    if not np.array_equal(_checksum(text), checksum):
        return None
    indices = text.reshape(-1, _CHARACTER_BITS) @ (1 << np.arange(_CHARACTER_BITS)[::-1])
    return "".join(ALPHABET[index] for index in indices).rstrip()


def encode(payload: Bits) -> Bits:
    """The 210 code bits of 64 payload bits."""
    register, code = 0, []
    for bit in (*payload, *[False] * _MEMORY):
        register = (register << 1 | int(bit)) % (2 * _STATES)
        code.append(_OUTPUTS[register])
    return np.concatenate(code)


def decode(scores: NDArray[np.floating]) -> Bits:
    """The 64 payload bits whose code fits scores (210,) best; a score is above 0 where a code bit seems to be 1."""
    gains = scores.reshape(-1, len(_GENERATORS)) @ np.where(_OUTPUTS, 1.0, -1.0).T
    best = np.full(_STATES, -np.inf)
    best[0] = 0
    dropped = np.empty((len(gains), _STATES), np.int64)
    """at each step and for each new state the bit that left the register"""
    for step, gain in enumerate(gains):
        # A register is the old state and the new bit; without its highest bit it is the new state.
        paths = (np.repeat(best, 2) + gain).reshape(2, _STATES)
        if step >= PAYLOAD_BITS:
            paths[:, 1::2] = -np.inf  # the zeros at the end
        dropped[step] = paths.argmax(0)
        best = paths.max(0)
    state, bits = 0, []
    for step in range(len(gains) - 1, -1, -1):
        bits.append(state & 1)
        state = state >> 1 | dropped[step, state] << (_MEMORY - 1)
    return np.array(bits[::-1][:PAYLOAD_BITS], bool)


def _checksum(text: NDArray[np.generic]) -> NDArray[np.uint8]:
    checksum = crc_hqx(np.packbits(text.astype(bool)).tobytes(), 0xFFFF)
    return np.unpackbits(np.array([checksum], ">u2").view(np.uint8))
