"""Skeletons one consonant away: what a word of the query may be written with, enumerated on its side.

With seven classes of consonants a skeleton of n has about 14 n neighbours, so that the index needs no entries for
deletions (as SymSpell keeps them): it is asked for all neighbours at once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.romanise import SKELETON

SHORTEST = 3
"""Consonants from which on a word is also found by others than its own."""
_BITS = 3
_CLASSES = range(1, 1 << _BITS)


@lru_cache(4096)
def neighbours(skeletons: frozenset[int]) -> NDArray[np.uint32]:
    """Ranges of skeletons to look among: uint32 (n, 2), first and behind the last, ascending and apart; not to be
    written to.

    They are these skeletons themselves; of those with `SHORTEST` consonants and more, also all that differ by one
    added, left out or changed, all that go on (a word with an ending), and their beginnings (the word without).
    """
    ranges: set[tuple[int, int]] = set()
    for skeleton in skeletons:
        consonants = _unpacked(skeleton)
        ranges.add((skeleton, skeleton + 1))
        if len(consonants) >= SHORTEST:
            ranges.add((skeleton, skeleton + (1 << _BITS * (SKELETON - len(consonants)))))
            ranges.update((other, other + 1) for other in _one_away(skeleton))
            ranges.update((begin := _packed(consonants[:n]), begin + 1) for n in range(SHORTEST, len(consonants)))
    found: list[list[int]] = []
    for first, end in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([first, end])
    near = np.array(found, dtype=np.uint32).reshape(-1, 2)
    near.flags.writeable = False
    return near


@lru_cache(1024)
def _one_away(skeleton: int) -> frozenset[int]:
    consonants = _unpacked(skeleton)
    found = set()
    for i in range(len(consonants) + 1):
        before, after = consonants[:i], consonants[i:]
        found.add(_packed(before + after[1:]))
        for other in _CLASSES:
            found.add(_packed([*before, other, *after]))
            found.add(_packed([*before, other, *after[1:]]))
    return frozenset(found)


def _packed(consonants: list[int]) -> int:
    packed = 0
    for number in consonants[:SKELETON]:
        packed = packed << _BITS | number
    return packed << _BITS * max(0, SKELETON - len(consonants))


def _unpacked(skeleton: int) -> list[int]:
    numbers = (skeleton >> _BITS * (SKELETON - 1 - i) & 7 for i in range(SKELETON))
    return [number for number in numbers if number]


def count_consonants(skeleton: int) -> int:
    """How many consonants a skeleton has."""
    return len(_unpacked(skeleton))
