"""Which of many keys may be one name with another: `spellings.alignment_odds` of those that a bound does not rule out.

Tens of thousands of words of an index share enough consonants with a word of a query, a few of them are likely it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core.extras import have
from xsearch.lang.romanise import FAMILIES
from xsearch.lang.spellings import alignment_odds, most_odds, most_steps, prices, stacked

COMPARED = 8192
"""Keys compared at once."""
MANY = 4096
"""So many keys are worth loading numba, which takes longer than a question to a small index."""

Codes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """n keys: uint8 codes end to end, of each where it starts and how long it is, int64 (n,), and its family, uint8
    (n,), a place in `romanise.FAMILIES`."""

    codes: Codes
    starts: Integers
    lengths: Integers
    families: Codes

    def take(self, rows: NDArray[Any]) -> Keys:
        """Some of the keys."""
        return Keys(self.codes, self.starts[rows], self.lengths[rows], self.families[rows])

    def matrix(self) -> Codes:
        """The codes, uint8 (n, longest), zeros behind each."""
        place = np.arange(int(self.lengths.max(initial=0)))
        inside = place < self.lengths[:, None]
        found: Codes = self.codes[np.where(inside, self.starts[:, None] + place, 0)] * inside
        return found


@dataclass(frozen=True, eq=False)
class Words:
    """n words: their keys; their skeletons (`romanise.skeleton`), uint32 (n,), ascending; groups that they are in,
    uint16 (n,); what log-odds are asked for of a group's words, float64 (groups,); and in which order their keys lie
    among the codes, uint32 (n,)."""

    keys: Keys
    skeletons: NDArray[np.uint32]
    groups: NDArray[np.uint16]
    least: Float64Array
    order: NDArray[np.uint32]

    def of_key(self, key: Codes, family: str, begin: int, end: int) -> Integers:
        """The words from `begin` to before `end`, all that have some skeletons, with exactly this key: ascending."""
        if (compiled := loaded()) is not None:
            keys, numbers = self.distinct.keys, self.distinct.numbers
            found: Integers = compiled.of_key(key, FAMILIES.index(family), keys, numbers, begin, end)
            return found
        rows: Integers = np.arange(begin, end)
        rows = rows[(self.keys.lengths[rows] == len(key)) & (self.keys.families[rows] == FAMILIES.index(family))]
        if len(rows):
            rows = rows[(self.keys.take(rows).matrix() == key).all(axis=1)]
        return rows

    @cached_property
    def distinct(self) -> Distinct:
        """The keys each once, told apart by 64 bits, for compiled loops."""
        from xsearch.lang.alike_numba import hashes, lowest_of, taken, told_apart

        keys = self.keys
        told = hashes(keys.codes, keys.starts, keys.lengths, keys.families, self.order)
        numbers, firsts = told_apart(told, self.skeletons)
        codes, begins = taken(keys.codes, keys.starts, keys.lengths, firsts)
        lowest = lowest_of(numbers, self.groups, self.least, len(firsts))
        return Distinct(numbers, (codes, begins, keys.families[firsts], self.skeletons[firsts], lowest))


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """The distinct keys of words, in the order in which they first come up. numbers: of every word's key, int32 (n,).
    keys: codes end to end, where each begins and the last ends, families, skeletons, and the least that is asked for
    of a word with the key."""

    numbers: NDArray[np.int32]
    keys: tuple[Codes, Integers, Codes, NDArray[np.uint32], Float64Array]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What words are compared with: codes of a key, uint8 (m,), and its family. kinds: bool (families,), the families
    that may be meant. skeleton, shift: the key's, less the bits behind its consonants. slip: whether words of its own
    family that do not begin with these are compared, if they differ by no more than two letters."""

    key: Codes
    family: str
    kinds: NDArray[np.bool_]
    skeleton: int
    shift: int
    slip: bool

    def comparable(self, words: Words, rows: Integers) -> Integers:
        """Those of `rows` that are compared: words of another family, and those of the key's own that begin with its
        consonants or may be a slip."""
        families = words.keys.families[rows]
        kept = families != FAMILIES.index(self.family)
        kept |= words.skeletons[rows] >> np.uint32(self.shift) == self.skeleton
        if self.slip:
            kept |= np.abs(words.keys.lengths[rows] - len(self.key)) <= 2
        found: Integers = rows[kept & self.kinds[families]]
        return found


def likely(asked: Asked, words: Words, ranges: Integers) -> tuple[Integers, Float64Array]:
    """The comparable words whose log-odds to be one name with what is asked are no less than is asked for of their
    group: rows, ascending, and odds, float64. ranges: int64 (r, 2), rows to look among, ascending and apart, each all
    rows of some skeletons."""
    counts = ranges[:, 1] - ranges[:, 0]
    total = int(counts.sum())
    if (compiled := _compiled() if total >= MANY else loaded()) is not None:
        return _by_loops(compiled, asked, words, ranges, total)
    before = np.cumsum(counts) - counts
    rows = asked.comparable(words, np.repeat(ranges[:, 0] - before, counts) + np.arange(total))
    lowest = words.least[words.groups[rows]]
    odds = odds_above(asked.key, asked.family, words.keys.take(rows), lowest)
    kept = odds >= lowest
    return rows[kept], odds[kept]


def _by_loops(
    compiled: ModuleType, asked: Asked, words: Words, ranges: Integers, total: int
) -> tuple[Integers, Float64Array]:
    rows, odds, distinct = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.float32), words.distinct
    count = compiled.likely(
        asked.key.astype(np.intp),
        (FAMILIES.index(asked.family), asked.kinds, asked.skeleton, asked.shift, asked.slip),
        (stacked(asked.family), most_steps(asked.key, asked.family), prices()),
        distinct.keys,
        (distinct.numbers, words.groups),
        ranges,
        words.least,
        rows,
        odds,
    )
    return rows[:count], odds[:count].astype(np.float64)


def odds_above(key: Codes, family: str, keys: Keys, least: Float64Array) -> Float64Array:
    """The log-odds that `key` of `family` and each of `keys` are one name, float64 (n,); -inf for some of those with
    less than `least`, float64 (n,)."""
    # Keys of like length together: arrays as narrow as they are, and small enough for a processor's cache.
    order = np.argsort(keys.lengths, kind="stable")
    odds = np.full(len(least), -np.inf)
    for start in range(0, len(least), COMPARED):
        chosen = order[start : start + COMPARED]
        block = keys.take(chosen)
        codes, families = block.matrix(), block.families
        # The same word stands in many languages and segments.
        first, row = _distinct(codes, families)
        lowest = np.full(len(first), np.inf)
        np.minimum.at(lowest, row, least[chosen])
        codes, families = codes[first], families[first]
        likely = np.flatnonzero(most_odds(key, family, codes, families) >= lowest)
        each = np.full(len(first), -np.inf)
        each[likely] = alignment_odds(key, family, codes[likely], families[likely])
        odds[chosen] = each[row]
    return odds


def _distinct(codes: Codes, families: Codes) -> tuple[Integers, Integers]:
    """Where each distinct key of a family comes first, and which of those each is: told apart by 64 bits, Σ code ×
    an odd factor of its place."""
    # Powers of 2^64 by the golden ratio (Knuth 1998, section 6.4): NumPy's generators take longer to import.
    factors = np.cumprod(np.full(codes.shape[1] + 1, 0x9E3779B97F4A7C15, dtype=np.uint64))
    sums = codes.astype(np.uint64) @ factors[1:] + families * factors[0]
    _, first, row = np.unique(sums, return_index=True, return_inverse=True)
    return first, row


def loaded() -> ModuleType | None:
    """The module of compiled loops, None where it has not been loaded: once it is, it is the faster way for few keys
    too."""
    return _compiled() if _compiled.cache_info().currsize else None


@cache
def _compiled() -> ModuleType | None:
    """The module of compiled loops, None where numba is not installed (`pip install 'xsearch-clir[fast]'`)."""
    if not have("numba"):
        return None
    from xsearch.lang import alike_numba

    return alike_numba
