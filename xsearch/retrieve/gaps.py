"""Ascending lists of numbers as gaps in bytes: seven bits a byte, lowest first, the high bit says that more follow.

Variable-byte coding of gaps (Witten, Moffat and Bell, *Managing Gigabytes*, 2nd ed. 1999, section 3.3), for many lists
at once and without a loop over numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IntArray

Bytes = NDArray[np.uint8]
_WIDEST = 9
"""Bytes that 63 bits take."""


def encode(values: IntArray, starts: IntArray) -> tuple[Bytes, IntArray]:
    """Lists as bytes, uint8, and where each begins in them, int64 (lists + 1,).

    values: int64, 0 or more, ascending within each list; list i is values[starts[i]:starts[i + 1]], starts int64
    (lists + 1,).
    """
    gaps = np.diff(values, prepend=0)
    firsts = starts[:-1][np.diff(starts) > 0]
    gaps[firsts] = values[firsts]
    widths = np.ones(len(gaps), dtype=np.int64)
    for width in range(1, _WIDEST):
        widths += gaps >= 1 << (7 * width)
    ends = np.concatenate([[0], np.cumsum(widths)])
    packed = np.empty(int(ends[-1]), dtype=np.uint8)
    for place in range(int(widths.max(initial=0))):
        chosen = widths > place
        more = widths[chosen] > place + 1
        packed[ends[:-1][chosen] + place] = ((gaps[chosen] >> (7 * place)) & 127) | (more.astype(np.int64) << 7)
    return packed, ends[starts]


def decode(packed: Bytes, starts: IntArray) -> tuple[IntArray, IntArray]:
    """Values and starts as `encode` was given them. starts: int64 (lists + 1,), places in `packed`, the first its 0."""
    last = packed < 128
    number: IntArray = np.cumsum(last) - last
    count = int(number[-1]) + 1 if len(packed) else 0
    firsts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1]) if count else np.zeros(0, np.int64)
    shifts = 7 * (np.arange(len(packed)) - firsts[number])
    bits = (packed & 127).astype(np.int64) << shifts
    gaps = np.add.reduceat(bits, firsts) if count else np.zeros(0, np.int64)
    ends = np.concatenate([[0], np.cumsum(last)])[starts]
    sums = np.concatenate([[0], np.cumsum(gaps)])
    values = sums[1:] - np.repeat(sums[ends[:-1]], np.diff(ends))
    return values, ends
