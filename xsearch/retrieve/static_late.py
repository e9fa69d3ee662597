"""Late interaction with static vectors: every word of a query looks for its best word in a passage.

MaxSim as ColBERT has it (Khattab and Zaharia 2020, equation 3), with the vectors of a static encoder, so that an index
holds numbers of pieces instead of vectors, and with words that are weighted and compared whole (`retrieve.maxsim`):

    score(q, d) = Σ_i w_i · m(i, d) / Σ_i w_i
    w_i         = |v_i| · ln((n + κ + 1) / (Σ_s m(i, s) + κ m̄_i + 0.1))

v_i is the sum of the vectors of word i's pieces, whose lengths the encoder has learnt. The logarithm is an inverse
document frequency whose frequency counts every passage by how well it meets the word, in a sample of n passages of the
passage's language, and for κ = `POOLED` passages by the mean m̄_i over the samples of all languages. So it needs no word
of the query's language in the index, and a word that all passages come near to says little.

All passages are scored, so the best are the best: the words of the index's vocabulary that a word of the query meets
are found first, some thousands of a million, and w_i · m(i, d) is summed up along the lists of the passages that hold
them; what holds none of them scores 0.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray, Mask, Query, QueryPieces, Ranking
from xsearch.core.order import best_first
from xsearch.retrieve.best import Best, among_best
from xsearch.retrieve.evidence import Met, met_words
from xsearch.retrieve.forward import Forward, stacked
from xsearch.retrieve.maxsim import (
    Comparison,
    PieceTable,
    QueryWords,
    Ready,
    compiled_loops,
    query_words,
    word_bounds,
)
from xsearch.retrieve.neighbours import Vocabulary, met_by_terms
from xsearch.retrieve.tokens import words_name
from xsearch.retrieve.word_file import Words, map_words

SAMPLE = 64
"""Passages of a language that stand for all of it."""
POOLED = 128
"""Passages of a language for which the samples of all languages together count in a word's frequency: an index may
hold few of a language."""
COMPILED = 50_000
"""Passages of an index from which on compiled loops pay for being loaded (half a second)."""
QUERY_WORDS = 32
"""Words of a query that are looked for: the weightiest."""

Float64Array = NDArray[np.float64]
Languages = Mapping[str, Sequence[Words]]
"""The segments of each language, ascending."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A query seen from a language: w_i, float64 (q,), their sum, mean and standard deviation of its scores there."""

    weights: Float64Array
    total: float
    background: tuple[float, float]


Summed = tuple[str, View, IntArray, Float64Array]
"""Passages of a language: its code, how it sees the query, their numbers, ascending, and Σ_i w_i m(i, d) of each."""


class Late:
    """One snapshot of the part `tokens`, safe to search from several threads; writes nothing.

    folder, state: of the part. table: loads the vectors of the index's pieces, when they are first needed. Raises
    `IndexDamaged` when a file is missing or does not fit the state.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], table: Callable[[], PieceTable]) -> None:
        self._table = cache(table)
        self._segments: Languages = {
            lang: [map_words(folder / words_name(lang, entry), entry) for entry in entries]
            for lang, entries in state.get("languages", {}).items()
        }
        self._passages = sum(segment.passages for segment in forwards(self._segments))
        self._compared: Comparison | None = None
        self._held: Held | None = None
        self._lock = threading.RLock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by score, then passage number.

        Scores lie between 0 and 1. allowed: passages that may be returned; `depth` of a language come whenever it
        has them. The ranking's background is mean and standard deviation of this query's scores over a sample of
        each language's passages. A query without a word that the encoder knows finds nothing.
        """
        words, segments = self._words(query), self._segments
        held = [lang for lang in segments if langs is None or lang in langs]
        if words is None or not held:
            return Ranking.of([], [])
        best: dict[str, list[Best]] = {lang: [] for lang in held}
        background = {}
        for lang, view, numbers, sums in self._summed(words, segments, held):
            best[lang].append(best_of(numbers, sums, view.total, depth, allowed))
            background[lang] = view.background
        found = [Best.merge(parts, depth) for parts in best.values()]
        return Ranking.of(
            np.concatenate([each.passages for each in found]),
            np.concatenate([each.scores for each in found]),
            background,
        )

    def evidence(self, query: Query, passages: Sequence[QueryPieces]) -> list[list[Met]]:
        """For each passage, given as pieces of its text, which word of it each word of the query met."""
        if query.pieces is None:
            return [[] for _ in passages]
        return [met_words(self._comparison(), query.pieces, passage) for passage in passages]

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: vectors compare across languages; how well is the encoder's to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have words, sorted."""
        return sorted(self._segments)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments, self._held = {}, None

    def _words(self, query: Query) -> QueryWords | None:
        """The query's weightiest words, None where there is none with a vector."""
        pieces = query.pieces
        if pieces is None or len(pieces) == 0:
            return None
        table = self._table()
        words = query_words(table, pieces.tokens, word_bounds(table, pieces))
        weightiest = np.sort(np.argsort(-words.weights, kind="stable")[:QUERY_WORDS])
        chosen = weightiest[words.weights[weightiest] > 0]
        return words.take(chosen) if len(chosen) else None

    def _summed(self, words: QueryWords, languages: Languages, wanted: Collection[str]) -> Iterator[Summed]:
        """Segment by segment, along the lists of the words that the query's words meet."""
        held, comparison = self._ready(languages), self._comparison()
        asked = comparison.asked(words)
        with reading():
            views = held.samples.views(asked.matches(held.sampled), words)
            near = iter(held.vocabulary.near(asked))
            for lang, segments in languages.items():
                for segment in segments:
                    met = next(near)
                    if lang in wanted:
                        sums = met_by_terms(segment.lists, met, views[lang].weights, comparison.compiled)
                        yield lang, views[lang], segment.forward.numbers, sums

    def _comparison(self) -> Comparison:
        with self._lock:
            if self._compared is None:
                self._compared = Comparison(self._table(), compiled_loops() if self._passages >= COMPILED else None)
        return self._compared

    def _ready(self, languages: Languages) -> Held:
        with self._lock, reading():
            if self._held is None:
                comparison, samples = self._comparison(), Samples.of(languages)
                vocabulary = Vocabulary(comparison, forwards(languages))
                self._held = Held(vocabulary, samples, comparison.ready(samples.passages(languages)))
        return self._held


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """At most `SAMPLE` passages of each language, evenly spread over them in ascending number. Which they are depends
    on the passages alone, not on how they are divided into segments.

    sizes: by language, how many. places: int64, theirs among all passages, language after language.
    """

    sizes: Mapping[str, int]
    places: IntArray

    @staticmethod
    def of(languages: Languages) -> Samples:
        """Those of an index."""
        sizes, places, first = {}, [np.zeros(0, np.int64)], 0
        for lang, segments in languages.items():
            total = sum(segment.forward.passages for segment in segments)
            sizes[lang] = min(SAMPLE, total)
            places.append(first + np.arange(sizes[lang]) * total // sizes[lang])
            first += total
        return Samples(sizes, np.concatenate(places))

    def passages(self, languages: Languages) -> Forward:
        """The passages with their words."""
        parts, first = [], 0
        for segment in forwards(languages):
            inside = (self.places >= first) & (self.places < first + segment.passages)
            parts.append(segment.take(self.places[inside] - first))
            first += segment.passages
        return stacked(parts)

    def views(self, met: FloatArray, words: QueryWords) -> dict[str, View]:
        """The query from every language, given m(i, s) for the sampled passages, float32 (q, n)."""
        views, at = {}, 0
        anywhere = POOLED * met.mean(axis=1, dtype=np.float64)
        for lang, size in self.sizes.items():
            own = met[:, at : at + size]
            frequencies = own.sum(axis=1, dtype=np.float64) + anywhere
            weights = words.weights * np.log((size + POOLED + 1) / (frequencies + 0.1))
            scores = summed(weights, own) / (total := float(weights.sum()))
            views[lang] = View(weights, total, (float(scores.mean()), float(scores.std())))
            at += size
        return views


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What a search needs of an index besides its lists. sampled: the words of `samples`."""

    vocabulary: Vocabulary
    samples: Samples
    sampled: Ready


def forwards(languages: Languages) -> list[Forward]:
    """All segments' words of passages, language after language."""
    return [segment.forward for segments in languages.values() for segment in segments]


@contextmanager
def reading() -> Iterator[None]:
    """Numbers of words and pieces from files are used: one that points nowhere is damage."""
    try:
        yield
    except IndexError as error:
        raise IndexDamaged(f"a list of words is damaged ({error}): run `xsearch check --repair`") from error


def best_of(numbers: IntArray, sums: Float64Array, total: float, depth: int, allowed: Mask | None) -> Best:
    """The best `depth` of a language's passages, given by ascending number with Σ_i w_i m(i, d). total: Σ_i w_i."""
    if allowed is not None:
        kept = allowed[numbers]
        numbers, sums = numbers[kept], sums[kept]
    rows = among_best(sums, depth)
    scores = (sums[rows] / total).astype(np.float32)
    order = best_first(scores, depth)
    return Best(numbers[rows[order]], scores[order])


def summed(weights: Float64Array, met: FloatArray) -> Float64Array:
    """Σ_i w_i m(i, d), float64 (n,), word by word: the same for a passage in whatever company, and as `met_by_terms`
    sums."""
    sums = np.zeros(met.shape[1])
    for weight, row in zip(weights.tolist(), met, strict=True):
        sums += np.multiply(row, weight, dtype=np.float64)
    return sums
