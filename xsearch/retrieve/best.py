"""The best of many scored passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.core.order import best_first, distinct, first_mentions, ranked


@dataclass(frozen=True, slots=True)
class Best:
    """Passages with scores, best first, equal ones by number: int64 (n,) and float32 (n,)."""

    passages: IntArray
    scores: FloatArray

    @staticmethod
    def of(passages: IntArray, scores: FloatArray, depth: int) -> Best:
        """The best `depth` of passages that each stand once."""
        order = ranked(passages, scores, depth)
        return Best(passages[order], scores[order])

    @staticmethod
    def merge(parts: Sequence[Best], depth: int) -> Best:
        """The best `depth` of several, no passage in two of them."""
        if len(parts) == 1:
            return parts[0]
        passages = [np.empty(0, np.int64), *(part.passages for part in parts)]
        scores = [np.empty(0, np.float32), *(part.scores for part in parts)]
        return Best.of(np.concatenate(passages), np.concatenate(scores), depth)

    @staticmethod
    def of_each(parts: Sequence[Scored], depth: int) -> Best:
        """The best `depth` passages of each part, all in one order; a passage is in one part alone, and what its best
        window scores.

        One pass over all parts: with twenty languages, numpy's calls for each would take longer than their work.
        """
        if not parts:
            return Best(np.empty(0, np.int64), np.empty(0, np.float32))
        sizes = [len(part.scores) for part in parts]
        passages, first, _ = distinct(np.concatenate([part.owners for part in parts]))
        scores = np.concatenate([part.scores for part in parts])[first]
        owner_of = np.repeat(np.arange(len(parts), dtype=np.uint16), sizes)[first]
        kept = best_of_groups(owner_of, scores, depth)
        return Best(passages[kept], scores[kept])


def best_above(parts: Sequence[Scored], groups: Sequence[int], depth: int) -> tuple[Best, list[int]]:
    """The best `depth` passages of each group of parts, of what lies above the parts' floors, all in one order; and the
    parts in which fewer than `depth` passages do, so that what lies below may count.

    groups: of each part its group's number, from 0. A passage is in one part alone, and what its best window scores.
    """
    sizes = [len(part.scores) for part in parts]
    owners = np.concatenate([part.owners for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    part_of = np.repeat(np.arange(len(parts), dtype=np.uint16), sizes)
    floors = np.array([part.floor for part in parts], dtype=np.float32)
    above = np.flatnonzero(scores > floors[part_of])
    passages, first = first_mentions(owners[above])
    chosen = above[first]
    scores, part_of = scores[chosen], part_of[chosen]
    short = np.flatnonzero((np.bincount(part_of, minlength=len(parts)) < depth) & (floors > -np.inf))
    kept = best_of_groups(np.array(groups, dtype=np.uint16)[part_of], scores, depth)
    return Best(passages[kept], scores[kept]), short.tolist()


@dataclass(frozen=True, slots=True)
class Scored:
    """Windows with the passages they are of and their scores, int64 (n,) and float32 (n,): of a passage's windows, the
    best comes first. floor: all windows that score above it are among these, and only those count."""

    owners: IntArray
    scores: FloatArray
    floor: float = -np.inf

    def above(self, depth: int) -> Scored:
        """Those that score no less than the window at `depth`."""
        if len(self.scores) <= depth:
            return self
        kept = self.scores >= np.partition(self.scores, len(self.scores) - depth)[len(self.scores) - depth]
        return Scored(self.owners[kept], self.scores[kept])

    @staticmethod
    def joined(parts: Sequence[Scored]) -> Scored:
        """Several as one, no passage in two of them."""
        if len(parts) == 1:
            return parts[0]
        owners = [np.empty(0, np.int64), *(part.owners for part in parts)]
        scores = [np.empty(0, np.float32), *(part.scores for part in parts)]
        return Scored(np.concatenate(owners), np.concatenate(scores))


def best_of_groups(groups: NDArray[np.integer], scores: FloatArray, depth: int) -> IntArray:
    """Places of the `depth` highest scores of every group, all in one order, best first, equal ones by place. groups:
    (n,) numbers from 0; few, so that a stable sort of them is one pass where they take two bytes or less."""
    order = best_first(scores, len(scores))
    # Places of each group side by side, best first; what stands beyond the depth goes.
    by_group = np.argsort(groups[order], kind="stable")
    counts = np.bincount(groups)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept: IntArray = order[np.sort(by_group[rank < depth])]
    return kept


BLOCKS = 64
"""Parts that a long list of scores is cut into."""


def among_best(scores: NDArray[np.floating[Any]], depth: int) -> IntArray:
    """Places, ascending, of the `depth` highest scores, 0 or more, and of some others that hardly score less.

    As many places as are wanted hold the highest of so many parts of the list, so that the last of these is a bound,
    found in a fraction of the time that ordering the list takes. What is equal in float32 is within it.
    """
    parts = len(scores) // BLOCKS
    if not 0 < depth < parts:
        return np.arange(len(scores))
    highest = scores[: parts * BLOCKS].reshape(BLOCKS, parts).max(axis=0)
    least = np.partition(highest, parts - depth)[parts - depth]
    return np.flatnonzero(scores >= least * (1 - 1e-6))
