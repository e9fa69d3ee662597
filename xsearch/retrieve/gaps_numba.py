"""Lists of passages in the segments of the names index, decoded by one compiled call: a query asks hundreds of words of
dozens of segments, and taking each list by itself takes longer than to decode it. The numbers are those of
`gaps.decode`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.retrieve.pointers_numba import pointer

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)


@_compiled
def passages_of(table: Array, segments: Array, words: Array) -> Any:
    """The passages of words, one list after the other, int64, and how many each has, int64 (words,).

    table: int64 (segments, 5), where a segment's `posting_starts` and `postings` lie in memory, how many words and
    bytes of postings it has, and its first passage. Whoever calls holds the segments open meanwhile.
    """
    counts = np.zeros(len(words), dtype=np.int64)
    for i in range(len(words)):
        _, begin, end, postings = _list_of(table, segments[i], words[i])
        for at in range(begin, end):
            counts[i] += postings[at] < 128
    found = np.empty(counts.sum(), dtype=np.int64)
    done = 0
    for i in range(len(words)):
        passage, begin, end, postings = _list_of(table, segments[i], words[i])
        gap, shift, last = np.int64(0), 0, done + counts[i]
        for at in range(begin, end):
            gap |= np.int64(postings[at] & 127) << shift
            shift += 7
            if postings[at] < 128:
                passage += gap
                found[done] = passage
                done += 1
                gap, shift = np.int64(0), 0
        done = last
    return found, counts


@_compiled
def _list_of(table: Array, segment: int, word: int) -> Any:
    """A segment's first passage, where a word's list begins and ends, as far as the segment has it, and the bytes."""
    starts_at, postings_at, count, size, first = table[segment]
    starts = numba.carray(pointer(starts_at), (count + 1,), np.int64)
    begin, end = max(0, min(starts[word], size)), max(0, min(starts[word + 1], size))
    return first, begin, end, numba.carray(pointer(postings_at), (size,), np.uint8)
