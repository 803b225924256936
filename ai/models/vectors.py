"""Embeddings as they are kept and compared: 32-bit floats, scaled to length 1, so that a product is a cosine.

There is no numerical library here: some hundreds of vectors are compared in some tens of milliseconds.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from operator import mul


def pack(vector: Iterable[float]) -> bytes | None:
    """The vector as it is kept; None for one without a direction."""
    values = list(vector)
    length = math.sqrt(sum(value * value for value in values))
    if not length or not math.isfinite(length):
        return None
    return _little(array("f", (value / length for value in values))).tobytes()


def unpack(kept: bytes) -> array[float]:
    """The vector that was kept."""
    values = array("f")
    values.frombytes(bytes(kept))
    return _little(values)


def nearest(kept: Mapping[int, bytes], vector: Sequence[float]) -> list[int]:
    """The keys of the vectors, the most alike first; those of another model (of another length) are left out."""
    packed = pack(vector)
    if packed is None:
        return []
    asked = unpack(packed)
    alike = {key: sum(map(mul, unpack(each), asked)) for key, each in kept.items() if len(each) == len(packed)}
    return sorted(alike, key=lambda key: (-alike[key], key))


def _little(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
