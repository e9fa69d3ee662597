"""Late interaction with static vectors: every word of a query looks for its best word in a passage.

MaxSim as ColBERT has it (Khattab and Zaharia 2020, equation 3), with the vectors of a static encoder, so that an index
holds numbers of pieces instead of vectors, and with words that are weighted and compared whole (`retrieve.maxsim`):

    score(q, d) = Σ_i w_i · m(i, d) / Σ_i w_i
    w_i         = |v_i| · ln((n + κ + 1) / (Σ_s m(i, s) + κ m̄_i + 0.1))

v_i is the sum of the vectors of word i's pieces, whose lengths the encoder has learnt. The logarithm is an inverse
document frequency whose frequency counts every passage by how well it meets the word, in a sample of n passages of the
passage's language, and for κ = `POOLED` passages by the mean m̄_i over the samples of all languages. So it needs no word
of the query's language in the index, and a word that all passages come near to says little.

Few passages, of a language or in all, are all scored. Of many, those first that hold pieces near to the query's words,
found in the postings of the part `pieces`, are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray, Mask, Query, QueryPieces, Ranking
from xsearch.retrieve.best import Best
from xsearch.retrieve.evidence import Met, met_words
from xsearch.retrieve.forward import Forward, map_forward, stacked
from xsearch.retrieve.impact import Impact
from xsearch.retrieve.maxsim import (
    Asked,
    Comparison,
    PieceTable,
    QueryWords,
    Ready,
    compiled_loops,
    query_words,
    word_bounds,
)
from xsearch.retrieve.neighbours import Near, Neighbours, met_by_pieces
from xsearch.retrieve.tokens import words_name

RESCORED = 2000
"""Passages scored for a query, shared out among the languages, but for each half again as many as are asked for."""
SAMPLE = 64
"""Passages of a language that stand for all of it."""
POOLED = 128
"""Passages of a language for which the samples of all languages together count in a word's frequency: an index may
hold few of a language."""
EXHAUSTIVE = 256
"""Up to so many passages of a language are all scored, however many languages there are."""
WHOLE = 20_000
"""An index of up to so many passages is scored whole: to choose among them would take as long."""
COMPILED = 50_000
"""Passages of an index from which on compiled loops pay for being loaded (half a second)."""
QUERY_WORDS = 32
"""Words of a query that are looked for: the weightiest."""

Float64Array = NDArray[np.float64]


class Late:
    """One snapshot of the parts `tokens` and `pieces`, safe to search from several threads; writes nothing.

    folder, state: of the part `tokens`. postings: the part `pieces`. table: loads the vectors of the index's pieces,
    when they are first needed. Raises `IndexDamaged` when a file is missing or does
    not fit the state.
    """

    def __init__(
        self,
        folder: Path,
        state: Mapping[str, Any],
        postings: Impact,
        table: Callable[[], PieceTable],
    ) -> None:
        self._postings = postings
        self._table = cache(table)
        self._compared: Comparison | None = None
        self._segments = {
            lang: [map_forward(folder / words_name(lang, entry), entry) for entry in entries]
            for lang, entries in state.get("languages", {}).items()
        }
        self._passages = sum(segment.passages for held in self._segments.values() for segment in held)
        self._whole: Ready | None = None
        self._samples: Samples | None = None
        self._neighbours: Neighbours | None = None
        self._lock = threading.Lock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by score, then passage number.

        Scores lie between 0 and 1. allowed: passages that may be returned; `depth` of a language come whenever it
        has them. The ranking's background is mean and standard deviation of this query's scores over a sample of
        each language's passages. A query without a word that the encoder knows finds nothing.
        """
        words = self._words(query)
        held = [lang for lang in self._segments if langs is None or lang in langs]
        if words is None or not held:
            return Ranking.of([], [])
        samples, asked = self._sampled(), self._comparison().asked(words)
        if self._passages <= WHOLE and len(held) == len(self._segments):
            everything = self._everything()
            scored, met = everything.passages, matches(asked, everything)
            sizes = [sum(segment.passages for segment in self._segments[lang]) for lang in held]
            views = samples.views(met[:, samples.places], words)
        else:
            views = samples.views(matches(asked, samples.passages), words)
            share = max(depth + depth // 2, WHOLE if self._passages <= WHOLE else RESCORED // len(held))
            near = cache(lambda: self._neighbours_of_pieces().near(asked))
            chosen = [self._chosen(lang, views[lang].weights, near, depth, share, allowed) for lang in held]
            sizes = [sum(part.passages for part in parts) for parts in chosen]
            scored = stacked([part for parts in chosen for part in parts])
            met = matches(asked, scored)
        best, at = [], 0
        for lang, size in zip(held, sizes, strict=True):
            numbers, scores = scored.numbers[at : at + size], views[lang].score(met[:, at : at + size])
            if allowed is not None:
                numbers, scores = numbers[allowed[numbers]], scores[allowed[numbers]]
            best.append(Best.of(numbers, scores, depth))
            at += size
        found = Best.merge(best, sum(sizes))
        return Ranking.of(found.passages, found.scores, {lang: views[lang].background for lang in held})

    def search_many(
        self,
        queries: Sequence[Query],
        depth: int,
        allowed: Mask | None = None,
        langs: Collection[str] | None = None,
    ) -> list[Ranking]:
        """`search` for each query."""
        return [self.search(query, depth, allowed, langs) for query in queries]

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
        self._segments, self._whole = {}, None
        self._postings.close()

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

    def _chosen(
        self, lang: str, weights: Float64Array, near: Callable[[], Near], depth: int, share: int, allowed: Mask | None
    ) -> list[Forward]:
        """The passages of a language to score, by segment: all that are allowed if they are few, else the `share`
        most promising, filled up to `depth` with the first there are."""
        segments = self._segments[lang]
        rows = [
            np.arange(segment.passages) if allowed is None else np.flatnonzero(allowed[segment.numbers])
            for segment in segments
        ]
        if sum(map(len, rows)) > max(share, EXHAUSTIVE):
            numbers = self._promising(lang, weights, near(), share, allowed)
            if len(numbers) < depth:
                first = np.concatenate([s.numbers[own[:depth]] for s, own in zip(segments, rows, strict=True)])
                numbers = np.union1d(numbers, np.setdiff1d(first, numbers)[: depth - len(numbers)])
            rows = [segment.rows_of(numbers) for segment in segments]
        return [segment.take(own) for segment, own in zip(segments, rows, strict=True)]

    def _promising(self, lang: str, weights: Float64Array, near: Near, share: int, allowed: Mask | None) -> IntArray:
        """Numbers of the `share` passages whose pieces are nearest to the query's words, ascending."""
        parts, compiled = [], self._comparison().compiled
        for segment in self._postings.segments(lang):
            try:
                scores = met_by_pieces(segment, near, weights, compiled)
            except IndexError as error:
                raise IndexDamaged(f"the postings of '{lang}' are damaged: run `xsearch check --repair`") from error
            if allowed is not None:
                scores[~allowed[segment.numbers]] = 0.0
            rows = np.flatnonzero(scores > 0) if compiled is None else compiled.most(scores, share)
            parts.append(Best.of(segment.numbers[rows], scores[rows].astype(np.float32), share))
        return np.sort(Best.merge(parts, share).passages)

    def _neighbours_of_pieces(self) -> Neighbours:
        with self._lock:
            if self._neighbours is None:
                segments = [segment for held in self._segments.values() for segment in held]
                tokens = np.flatnonzero(np.bincount(np.concatenate([segment.pieces for segment in segments])))
                self._neighbours = Neighbours(self._table(), tokens)
        return self._neighbours

    def _comparison(self) -> Comparison:
        with self._lock:
            if self._compared is None:
                self._compared = Comparison(self._table(), compiled_loops() if self._passages >= COMPILED else None)
        return self._compared

    def _everything(self) -> Ready:
        comparison = self._comparison()
        with self._lock:
            if self._whole is None:
                self._whole = ready(comparison, stacked([part for held in self._segments.values() for part in held]))
        return self._whole

    def _sampled(self) -> Samples:
        with self._lock:
            if self._samples is None:
                self._samples = Samples.of(self._segments)
        return self._samples


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A query seen from a language: w_i, float64 (q,), and mean and standard deviation of its scores there."""

    weights: Float64Array
    background: tuple[float, float]

    def score(self, met: FloatArray) -> FloatArray:
        """Scores, float32 (n,), of m(i, d), float32 (q, n)."""
        return weighted(self.weights, met).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """At most `SAMPLE` passages of each language, evenly spread over them in ascending number. Which they are depends
    on the passages alone, not on how they are divided into segments."""

    passages: Forward
    sizes: Mapping[str, int]
    places: IntArray

    @staticmethod
    def of(segments: Mapping[str, Sequence[Forward]]) -> Samples:
        """Those of an index."""
        parts, sizes, places, first = [], {}, [np.zeros(0, np.int64)], 0
        for lang, held in segments.items():
            total = sum(segment.passages for segment in held)
            wanted = np.unique(np.arange(min(SAMPLE, total)) * total // min(SAMPLE, total))
            places.append(wanted + first)
            sizes[lang], before, first = len(wanted), 0, first + total
            for segment in held:
                parts.append(segment.take(wanted[(wanted >= before) & (wanted < before + segment.passages)] - before))
                before += segment.passages
        return Samples(stacked(parts), sizes, np.concatenate(places))

    def views(self, met: FloatArray, words: QueryWords) -> dict[str, View]:
        """The query from every language, given m(i, s) for the sampled passages, float32 (q, n)."""
        views, at = {}, 0
        anywhere = POOLED * met.mean(axis=1, dtype=np.float64)
        for lang, size in self.sizes.items():
            own = met[:, at : at + size]
            frequencies = own.sum(axis=1, dtype=np.float64) + anywhere
            weights = words.weights * np.log((size + POOLED + 1) / (frequencies + 0.1))
            scores = weighted(weights, own)
            views[lang] = View(weights, (float(scores.mean()), float(scores.std())))
            at += size
        return views


def ready(comparison: Comparison, passages: Forward) -> Ready:
    """Passages as files have them, ready to be compared. Raises `IndexDamaged` for pieces that no vocabulary has."""
    try:
        return comparison.ready(passages)
    except IndexError as error:
        raise IndexDamaged(f"a list of words is damaged ({error}): run `xsearch check --repair`") from error


def matches(asked: Asked, passages: Forward | Ready) -> FloatArray:
    """m(i, d) of passages as files have them. Raises `IndexDamaged` for pieces that no vocabulary has."""
    try:
        return asked.matches(passages)
    except IndexError as error:
        raise IndexDamaged(f"a list of words is damaged ({error}): run `xsearch check --repair`") from error


def weighted(weights: Float64Array, met: FloatArray) -> Float64Array:
    """Σ_i w_i m(i, d) / Σ_i w_i, float64 (n,), word by word: the same for a passage in whatever company."""
    scores = np.zeros(met.shape[1])
    for weight, row in zip(weights.tolist(), met, strict=True):
        scores += weight * row
    scores /= weights.sum()
    return scores
