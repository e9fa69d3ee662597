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
_ALL = np.arange(1, 1 << _BITS)
_WIDTHS = np.array([1 << _BITS * behind for behind in range(SKELETON, -1, -1)], dtype=np.int64)
"""By a number of consonants, how many skeletons begin with them."""


@lru_cache(4096)
def neighbours(skeletons: frozenset[int]) -> NDArray[np.uint32]:
    """Ranges of skeletons to look among: uint32 (n, 2), first and behind the last, ascending and apart; not to be
    written to.

    They are these skeletons themselves; of those with `SHORTEST` consonants and more, also all that differ by one
    added, left out or changed, all that go on (a word with an ending), and their beginnings (the word without).
    """
    firsts = [np.array(sorted(skeletons))]
    ends = [firsts[0] + 1]
    for skeleton in skeletons:
        consonants = count_consonants(skeleton)
        if consonants >= SHORTEST:
            begun = skeleton - skeleton % _WIDTHS[SHORTEST:consonants]
            alone = np.concatenate((_one_away(skeleton, consonants), begun))
            firsts += [np.array([skeleton]), alone]
            ends += [skeleton + _WIDTHS[consonants : consonants + 1], alone + 1]
    begin, end = np.concatenate(firsts), np.concatenate(ends)
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    # A range goes on where the next one begins within it or right behind it.
    last = np.flatnonzero(np.append(begin[1:] > end[:-1], True))
    near = np.stack((begin[np.append(0, last[:-1] + 1)], end[last]), axis=1).astype(np.uint32)
    near.flags.writeable = False
    return near


def _one_away(skeleton: int, consonants: int) -> NDArray[np.int64]:
    """What comes of a skeleton when a consonant is added, left out or changed."""
    at = np.arange(min(consonants + 1, SKELETON))
    here = _WIDTHS[at + 1]
    before, behind = skeleton - skeleton % _WIDTHS[at], skeleton % here
    others = _ALL[:, None] * here
    added = before + others + (skeleton - before >> _BITS)
    return np.concatenate((before + (behind << _BITS), added.ravel(), (before + others + behind).ravel()))


def count_consonants(skeleton: int) -> int:
    """How many consonants a skeleton has."""
    return sum(1 for at in range(SKELETON) if skeleton >> _BITS * at & 7)
