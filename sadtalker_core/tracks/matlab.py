"""Numeric matrices in MATLAB files of level 5, as scipy's ``savemat`` and MATLAB up to version 7 write them.

This is our own reader, because scipy's reader crashes the whole program on some damaged files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TrackError

LARGEST = 500_000_000
"""Largest number of bytes of a file or of one matrix; tracks of the original have 300 bytes per frame."""
_HEADER = 128
_BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Storage type of the numbers, by the kind of the element."""
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC_CLASSES = range(6, 16)
"""Full numeric matrices; the other classes are texts, structures, cells, sparse matrices and objects."""
_COMPLEX = 0x0800


@dataclass(frozen=True, slots=True)
class _Element:
    kind: int
    content: memoryview


def read_matrix(content: bytes, name: str) -> NDArray[Any] | None:
    """The real matrix of that name in the content of a file; None if there is none.

    Raises:
        TrackError: the file is incomplete, damaged, or in another format.
    """
    order = _BYTE_ORDERS.get(content[126:128])
    if order is None or len(content) > LARGEST or content[124 + (order == "<") : 125 + (order == "<")] != b"\x01":
        raise TrackError("It is not a .mat file of MATLAB up to version 7 (level 5).")
    try:
        for element in _elements(memoryview(content)[_HEADER:], order):
            found = _named_matrix(_unpacked(element, order), order, name)
            if found is not None:
                return found
    except (struct.error, ValueError, zlib.error, StopIteration) as error:
        raise TrackError(f"It is incomplete or damaged ({error}).") from error
    return None


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    """The elements in some bytes, one after the other."""
    while len(content) > 0:
        kind, size = struct.unpack_from(f"{order}II", content)
        start = 8
        if kind >> 16:  # up to four bytes are stored in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        if size > len(content) - start or (start == 4 and size > 4):
            raise ValueError("an element is longer than the file")
        yield _Element(kind, content[start : start + size])
        end = 8 if start == 4 else start + size
        content = content[end if kind == _COMPRESSED else -(-end // 8) * 8 :]


def _unpacked(element: _Element, order: str) -> _Element:
    if element.kind != _COMPRESSED:
        return element
    content = zlib.decompressobj().decompress(bytes(element.content), LARGEST)
    return next(_elements(memoryview(content), order))


def _named_matrix(element: _Element, order: str, name: str) -> NDArray[Any] | None:
    if element.kind != _MATRIX:
        return None
    parts = _elements(element.content, order)
    flags, sizes, own_name = next(parts), next(parts), next(parts)
    (kind,) = struct.unpack_from(f"{order}I", flags.content)
    if bytes(own_name.content) != name.encode() or kind & _COMPLEX or kind & 0xFF not in _NUMERIC_CLASSES:
        return None
    values = next(parts)
    if values.kind not in _NUMBERS:
        raise ValueError("a matrix contains no numbers")
    shape = struct.unpack(f"{order}{len(sizes.content) // 4}i", sizes.content)
    numbers = np.frombuffer(values.content, order + _NUMBERS[values.kind])
    if min(shape, default=-1) < 0 or prod(shape) != len(numbers):
        raise ValueError(f"a matrix of shape {shape} has {len(numbers)} numbers")
    return numbers.reshape(shape, order="F")
