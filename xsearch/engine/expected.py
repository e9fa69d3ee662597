"""Passages translated when they are indexed: the counts that `retrieve.expected` keeps, by the translation tables.

What it costs and brings beside queries translated when they are asked, for English questions and documents in eight
languages of `tldr`, `iot-lessons`, `ntrex-doc` (`eval/results/psq-index-time.jsonl`): postings take 5 to 7 times the
room, a search a sixth to a quarter less time, and nDCG@10 of psq is .622 for .623, .693 for .698, .795 for .796. At
100,000 passages in 20 languages it took longer (6.9 ms for 3.8 of processor time, `eval/results/psq.jsonl`), in part
because the buffer fills sooner, so that a language has more segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import Bags, IntArray, SparseVectors
from xsearch.lang import base_language
from xsearch.lang.translation import TranslationTables
from xsearch.retrieve.expected import PLACE, unchanged
from xsearch.retrieve.scorers import Float64Array

LEAST = 0.1
"""Counts below are not kept: that of a translation which is there once and has a chance of less than 10 %. A floor of
.03 gains nothing for a tenth more room, one of .2 loses a hundredth of nDCG@10 where passages are short."""
_PIECE = (1 << PLACE) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Which pieces of a language asked in those of a passage may translate: ``asked[starts[i]:starts[i + 1]]`` for
    `pieces[i]`, ascending, with the probabilities p(pieces[i] | asked) in `values`."""

    pieces: IntArray
    starts: IntArray
    asked: IntArray
    values: Float64Array


class ExpectedCounts:
    """What passages have of the pieces of questions in `langs` (base languages, each once)."""

    def __init__(self, tables: TranslationTables, langs: Sequence[str]) -> None:
        self._tables, self._langs = tables, tuple(langs)
        self._readings: dict[tuple[str, str], Readings | None] = {}

    @property
    def fingerprint(self) -> str:
        """Of the tables."""
        return self._tables.fingerprint

    def of(self, pieces: Bags, langs: Sequence[str]) -> SparseVectors:
        """The terms of texts with these pieces in languages `langs`, and the counts expected."""
        owners = np.repeat(np.arange(len(pieces)), np.diff(pieces.starts))
        keys, counts = np.unique(owners << PLACE | pieces.tokens, return_counts=True)
        rows, tokens, times = keys >> PLACE, keys & _PIECE, counts.astype(np.float64)
        found = [(rows, tokens, times)]
        spoken = np.array(langs)
        for group in dict.fromkeys(langs):
            own = np.flatnonzero(spoken[rows] == group)
            for place, asked in enumerate(self._langs, start=1):
                if readings := self._reading(asked, group):
                    of, terms, expected = _expected(rows[own], tokens[own], times[own], readings)
                    found.append((of, place << PLACE | terms, expected))
        rows, terms, values = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((terms, rows))
        starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(pieces)))))
        return SparseVectors(starts, terms[order].astype(np.int32), values[order].astype(np.float32))

    def _reading(self, asked: str, group: str) -> Readings | None:
        if (asked, group) not in self._readings:
            self._readings[asked, group] = readings(self._tables, asked, group)
        return self._readings[asked, group]


def readings(tables: TranslationTables, asked: str, group: str) -> Readings | None:
    """The translations from one language to another, by what they are; None within a language and where none lead."""
    if base_language(group) == asked or not tables.supports(asked, group):
        return None
    tokens = tables.pieces(asked)
    found = tables.translate(tokens, asked, [group])[group]
    owners = np.repeat(np.arange(len(tokens)), np.diff(found.starts))
    kept = ~unchanged(found, tokens)[owners]
    order = np.argsort(found.tokens[kept], kind="stable")
    pieces, starts = np.unique(found.tokens[kept][order].astype(np.int64), return_index=True)
    values = found.probabilities[kept][order].astype(np.float64)
    return Readings(pieces, np.append(starts, len(order)), tokens[owners[kept]][order], values)


def _expected(
    rows: IntArray, tokens: IntArray, times: Float64Array, readings: Readings
) -> tuple[IntArray, IntArray, Float64Array]:
    """Σ_t p(t | q) · tf(t, d) for every row d and q, of those that are `LEAST` and more: rows, q, sums."""
    if not len(readings.pieces):
        return rows[:0], tokens[:0], times[:0]
    place = np.minimum(np.searchsorted(readings.pieces, tokens), len(readings.pieces) - 1)
    known = np.flatnonzero(readings.pieces[place] == tokens)
    begins, sizes = readings.starts[place[known]], np.diff(readings.starts)[place[known]]
    each = np.repeat(known, sizes)
    at = np.arange(len(each)) + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
    keys, where = np.unique(rows[each] << PLACE | readings.asked[at], return_inverse=True)
    sums: Float64Array = np.zeros(len(keys))
    np.add.at(sums, where, times[each] * readings.values[at])
    kept = sums >= LEAST
    return keys[kept] >> PLACE, keys[kept] & _PIECE, sums[kept]
