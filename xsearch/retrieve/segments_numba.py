"""The segments of many languages searched by one compiled call: with dozens of small ones, a call for each takes longer
than what it does. Answers are those of `accumulate`.

A table holds where the arrays lie in memory (`pointers_numba`): `addresses`, int64 (segments, 9), in the order of
`_ARRAYS`, and `sizes`, int64 (segments, 4): passages, terms, postings, blocks. Whoever calls holds the segments open
meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from xsearch.core import IntArray, Mask
from xsearch.retrieve.accumulate_numba import CURVES, best_above, search_segment
from xsearch.retrieve.best import Scored
from xsearch.retrieve.pointers_numba import pointer
from xsearch.retrieve.postings import Postings
from xsearch.retrieve.scorers import LanguageGroups, Scorer

_ARRAYS = ("numbers", "lengths", "terms", "starts", "totals", "rows", "weights", "maxima", "block_starts")
Table = tuple[IntArray, IntArray]
_NONE = np.ones(0, dtype=np.bool_)
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True, error_model="numpy")


class Together:
    """The segments of all languages. Keeps them open as long as it is there."""

    def __init__(self, segments: Mapping[str, Sequence[Postings]]) -> None:
        self._open = [segment for own in segments.values() for segment in own]
        ends = np.cumsum([0, *map(len, segments.values())]).tolist()
        self._rows = {lang: range(*span) for lang, span in zip(segments, pairwise(ends), strict=True)}
        arrays = [[getattr(segment, name) for name in _ARRAYS] for segment in self._open]
        self._table: Table = (
            np.array([[array.__array_interface__["data"][0] for array in own] for own in arrays], dtype=np.int64),
            np.array([[len(s.numbers), len(s.terms), len(s.rows), len(s.maxima)] for s in self._open], dtype=np.int64),
        )
        self._widths = np.array([segment.weights.itemsize for segment in self._open])

    def counts(self, langs: Sequence[str], groups: LanguageGroups) -> IntArray:
        """As `Impact.counts`."""
        rows, owners = self._segments_of(langs)
        places = locate(self._table, rows, owners, groups.begins, groups.terms)
        return np.asarray(count(self._table, rows, owners, groups.begins, places))

    def likely(
        self, langs: Sequence[str], groups: LanguageGroups, scorer: Scorer, depth: int, allowed: Mask | None
    ) -> list[Scored]:
        """As `Impact.likely`. Raises IndexError as `accumulate` does, with the language."""
        asked = groups.starts, groups.begins, groups.coefficients, scorer.weights, scorer.rates, scorer.order
        base, slope = (np.broadcast_to(np.float64(value), len(langs)) for value in scorer.norm)
        curve = CURVES[scorer.curve], np.stack((base, slope), axis=1)
        inside = _NONE if allowed is None else allowed
        found: list[list[Scored]] = [[] for _ in langs]
        rows, owners = self._segments_of(langs)
        for width in np.unique(self._widths[rows]).tolist():
            own = self._widths[rows] == width
            chosen, whose = rows[own], owners[own]
            places = locate(self._table, chosen, whose, groups.begins, groups.terms)
            begins = np.concatenate(([0], np.cumsum(np.diff(groups.begins)[whose])))
            segments = chosen, whose, places, begins
            kind = np.zeros(0, dtype=f"u{width}")
            passages, scores, ends = search(
                self._table, kind, segments, asked, curve, depth, inside, allowed is not None
            )
            if len(ends) and ends[-1] < 0:
                raise IndexError(langs[whose[ends.argmin()]])
            last = np.concatenate(([0], ends))[np.searchsorted(whose, np.arange(len(langs) + 1))].tolist()
            for place, (begin, end) in enumerate(pairwise(last)):
                found[place].append(Scored(passages[begin:end], scores[begin:end]))
        return [Scored.joined(parts) for parts in found]

    def _segments_of(self, langs: Sequence[str]) -> tuple[IntArray, IntArray]:
        """The rows of the languages' segments, and of which language, a place in `langs`, each is; int64 both."""
        ranges = [self._rows.get(lang, range(0)) for lang in langs]
        rows = np.array([row for own in ranges for row in own], dtype=np.int64)
        return rows, np.repeat(np.arange(len(langs)), [len(own) for own in ranges])


@_compiled
def locate(table: Any, rows: IntArray, owners: IntArray, term_starts: IntArray, terms: IntArray) -> Any:
    """Where the terms of language ``owners[i]``, ``terms[term_starts[l]:term_starts[l + 1]]``, stand in the segment
    ``rows[i]``, -1 where they do not: int64, one segment after the other."""
    addresses, sizes = table
    total = 0
    for at in range(len(rows)):
        total += term_starts[owners[at] + 1] - term_starts[owners[at]]
    places = np.empty(total, dtype=np.int64)
    done = 0
    for at in range(len(rows)):
        count = sizes[rows[at], 1]
        held = numba.carray(pointer(addresses[rows[at], 2]), (count,), np.uint32)
        for i in range(term_starts[owners[at]], term_starts[owners[at] + 1]):
            low, high = np.int64(0), np.int64(count)
            while low < high:
                middle = (low + high) // 2
                if held[middle] < terms[i]:
                    low = middle + 1
                else:
                    high = middle
            places[done] = low if low < count and held[low] == terms[i] else -1
            done += 1
    return places


@_compiled
def count(table: Any, rows: IntArray, owners: IntArray, term_starts: IntArray, places: IntArray) -> Any:
    """In how many passages of its language each term stands, and the sum of its weights there: int64 (2, terms)."""
    addresses, sizes = table
    found = np.zeros((2, term_starts[-1]), dtype=np.int64)
    done = 0
    for at in range(len(rows)):
        held = sizes[rows[at], 1]
        starts = numba.carray(pointer(addresses[rows[at], 3]), (held + 1,), np.uint32)
        totals = numba.carray(pointer(addresses[rows[at], 4]), (held,), np.uint64)
        for i in range(term_starts[owners[at]], term_starts[owners[at] + 1]):
            place = places[done]
            done += 1
            if place >= 0:
                found[0, i] += np.int64(starts[place + 1]) - np.int64(starts[place])
                found[1, i] += np.int64(totals[place])
    return found


@_compiled
def search(
    table: Any, kind: NDArray[Any], segments: Any, asked: Any, curve: Any, depth: int, allowed: Any, restricted: bool
) -> Any:
    """What `accumulate` and `above` find in segments whose weights are of the type of `kind`, one after the other.

    segments: their rows in the table, the languages they are of, the places of these languages' terms in them and where
    each segment's begin. asked: of each language the starts of its groups, where its coefficients begin, the
    coefficients of all, and weights, rates and order, (languages, groups). curve: its number, and base and slope,
    float64 (languages, 2). Returns passages, scores, float32, and where each segment's end; of a segment with a row
    that it does not have, -1.
    """
    rows, owners, places, place_starts = segments
    group_starts, term_starts, coefficients, weights, rates, orders = asked
    passages, found = np.empty(4096, dtype=np.int64), np.empty(4096, dtype=np.float32)
    ends, filled = np.full(len(rows), -1, dtype=np.int64), 0
    limit, language = 0.0, -1
    for at in range(len(rows)):
        if owners[at] != language:
            limit, language = 0.0, owners[at]
        numbers, postings = _mapped(table[0][rows[at]], table[1][rows[at]], kind)
        inside = np.ones(len(numbers), dtype=np.bool_)
        if restricted:
            for row in range(len(numbers)):
                inside[row] = allowed[numbers[row]]
        own = coefficients[term_starts[language] : term_starts[language + 1]]
        there = places[place_starts[at] : place_starts[at + 1]]
        groups = group_starts[language], there, own, weights[language], rates[language]
        scores = np.zeros(len(numbers))
        how = curve[0], curve[1][language, 0], curve[1][language, 1]
        if not search_segment(postings, groups, orders[language], how, depth, limit, inside, scores):
            return passages[:filled], found[:filled], ends
        best, their, limit = best_above(scores, depth, limit, inside, restricted)
        if filled + len(best) > len(passages):
            more = max(len(passages), len(best))
            passages = np.concatenate((passages, np.empty(more, dtype=np.int64)))
            found = np.concatenate((found, np.empty(more, dtype=np.float32)))
        for i in range(len(best)):
            passages[filled], found[filled] = numbers[best[i]], their[i]
            filled += 1
        ends[at] = filled
    return passages[:filled], found[:filled], ends


@_compiled
def _mapped(addresses: Any, sizes: Any, kind: Any) -> Any:
    """A segment's passage numbers, and its postings as `accumulate_numba` takes them."""
    passages, terms, postings, blocks = sizes
    return (
        numba.carray(pointer(addresses[0]), (passages,), np.int64),
        (
            numba.carray(pointer(addresses[3]), (terms + 1,), np.uint32),
            numba.carray(pointer(addresses[5]), (postings,), np.uint16),
            numba.carray(pointer(addresses[6]), (postings,), kind.dtype),
            numba.carray(pointer(addresses[1]), (passages,), np.uint32),
            numba.carray(pointer(addresses[7]), (blocks,), kind.dtype),
            numba.carray(pointer(addresses[8]), (terms + 1,), np.int64),
        ),
    )
