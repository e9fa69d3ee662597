"""Words that are put together with another, found by their first and their last letters.

A word that a part begins shares its first four letters, one whose head it is its last four, but for an ending: two
sorted columns of four letters as a number lead to some dozens of words, which are then compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IntArray
from xsearch.lang.compounds import LONGEST_ENDING, REST, SHORTEST, compound_shares
from xsearch.retrieve.forms import Forms

LETTERS = 4
"""Of a number, and at least of a part that is looked for."""


class CompoundWords:
    """The words of `parts` that are long enough to be put together, numbered through all words of all parts."""

    def __init__(self, parts: Sequence[Forms]) -> None:
        before = np.cumsum([0, *(len(part.forms) for part in parts)]).tolist()
        starts = [part.form_starts.astype(np.int64) + base for part, base in zip(parts, before, strict=False)]
        begins = np.concatenate([np.zeros(0, np.int64), *(own[:-1] for own in starts)])
        ends = np.concatenate([np.zeros(0, np.int64), *(own[1:] for own in starts)])
        self._words = np.flatnonzero(ends - begins >= SHORTEST + REST)
        self._begins, self._ends = begins[self._words], ends[self._words]
        self._text = np.concatenate([np.zeros(0, np.uint8), *(part.forms for part in parts)])
        self._first = _Column(_four(self._text, self._begins))
        # Behind the head there may be an ending of so many letters.
        endings = np.repeat(np.arange(LONGEST_ENDING + 1), len(self._words))
        self._last = _Column(_four(self._text, np.tile(self._ends, LONGEST_ENDING + 1) - endings - LETTERS))

    def with_part(self, part: bytes) -> tuple[IntArray, NDArray[np.float64]]:
        """The words that have a part of `LETTERS` letters or more as their head or before it, int64 (n,), and how
        likely they are meant by it, float64 (n,). Letters are bytes, as those of folded Latin are."""
        text, count = np.frombuffer(part, dtype=np.uint8), len(self._words)
        first = self._first.rows(_four(text, np.zeros(1, np.int64)))
        last = self._last.rows(_four(text, np.array([len(part) - LETTERS])))
        ending, holder = np.divmod(last, max(1, count))
        words = np.concatenate((first, holder))
        begins = np.concatenate((self._begins[first], self._ends[holder] - ending - len(part)))
        before, behind = begins - self._begins[words], self._ends[words] - begins - len(part)
        inside = np.flatnonzero((before >= 0) & (behind >= 0))
        same = (self._text[begins[inside, None] + np.arange(len(part))] == text).all(axis=1)
        inside = inside[same]
        shares = compound_shares(before[inside], behind[inside])
        found: IntArray = self._words[words[inside[shares > 0]]]
        return found, shares[shares > 0]


class _Column:
    """Numbers, uint32 (n,), of which the rows of equal ones are found."""

    def __init__(self, numbers: NDArray[np.uint32]) -> None:
        order = np.argsort(numbers)
        self._rows, self._numbers = order.astype(np.uint32), numbers[order]

    def rows(self, number: NDArray[np.uint32]) -> IntArray:
        """Where `number`, (1,), stands."""
        begin, end = (int(self._numbers.searchsorted(number, side)[0]) for side in ("left", "right"))
        return self._rows[begin:end].astype(np.int64)


def _four(text: NDArray[np.uint8], begins: IntArray) -> NDArray[np.uint32]:
    """The four bytes from each place on as one number."""
    found = np.zeros(len(begins), dtype=np.uint32)
    for place in range(LETTERS):
        found |= text[begins + place].astype(np.uint32) << np.uint32(8 * place)
    return found
