"""Searches the part `colbert`: candidates by centroid probing, then MaxSim of their decoded tokens."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from xsearch.core import EncoderMismatch, FloatArray, IndexDamaged, IntArray, Mask, Query, Ranking
from xsearch.retrieve.best import Best
from xsearch.retrieve.colbert.codebook import Codebook
from xsearch.retrieve.colbert.device import OnDevice, gpu
from xsearch.retrieve.colbert.probe import probed, promising
from xsearch.retrieve.colbert.scoring import ask, best_tokens, compiled_loops, decoded, summed
from xsearch.retrieve.colbert.segment import Segment, map_segment, segment_name
from xsearch.retrieve.colbert.writer import open_codebook

PROBES = 64
"""Centroids of a language that are probed for each vector of a query."""
RESCORED = 2000
"""Passages whose tokens are decoded for a query, shared out among the languages, but for each half again as many as are
asked for."""
EXHAUSTIVE = 256
"""Up to so many passages of a language are all scored."""
SAMPLE = 64
"""Passages of a language that stand for all of it, fewer where there are many languages."""
SAMPLED = 512
"""Passages of all samples together."""
COMPILED = 20_000
"""Passages of an index from which on compiled loops pay for being loaded (half a second)."""


class Colbert:
    """One snapshot of the part, safe to search from several threads; writes nothing.

    name: the key of this retriever's vectors in `Query.vectors`. device: what scores passages, as `encode.Runtime` has
    it; candidates are found by the CPU. Raises `IndexDamaged` when a file is missing or does not fit the state.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, name: str = "colbert", device: str = "cpu") -> None:
        self._name, self._device = name, device
        self._book = open_codebook(folder, state) if state.get("dim") else None
        self._segments: dict[str, list[Segment]] = {
            lang: [
                map_segment(folder / segment_name(lang, entry), entry, self._book) for entry in entries if self._book
            ]
            for lang, entries in state.get("languages", {}).items()
        }
        self._passages = sum(part.tokens.passages for held in self._segments.values() for part in held)
        self._prepared: Prepared | None = None
        self._lock = threading.Lock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by MaxSim, then passage number.

        Scores lie between minus and plus the number of the query's vectors. allowed: passages that may be returned;
        `depth` of a language come whenever it has them. The ranking's background is mean and standard deviation of this
        query's scores over a sample of each language's passages. A query without vectors finds nothing. Raises
        `EncoderMismatch` when the vectors are of another dimension than the index.
        """
        vectors, book = query.vectors.get(self._name), self._book
        held = [lang for lang in self._segments if langs is None or lang in langs]
        if vectors is None or book is None or not held:
            return Ranking.of([], [])
        if vectors.ndim != 2 or vectors.shape[1] != book.dim:
            raise EncoderMismatch(
                f"the index holds token vectors of {book.dim} components, the query's have {vectors.shape[-1]}: "
                "use the encoder the index was built with"
            )
        asked = ask(vectors)
        if not len(asked):
            return Ranking.of([], [])
        prepared = self._prepare()
        similar = prepared.similar(asked)
        share = max(depth + depth // 2, RESCORED // len(held), EXHAUSTIVE)
        found, background = [], {}
        for lang in held:
            background[lang] = prepared.samples[lang].spread(asked)
            found.append(self._best(prepared, lang, asked, similar, depth, share, allowed))
        best = Best.merge(found, depth * len(held))
        return Ranking.of(best.passages, best.scores, background)

    def search_many(
        self,
        queries: Sequence[Query],
        depth: int,
        allowed: Mask | None = None,
        langs: Collection[str] | None = None,
    ) -> list[Ranking]:
        """`search` for each query."""
        return [self.search(query, depth, allowed, langs) for query in queries]

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: vectors compare across languages; how well is the encoder's to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have token vectors, sorted."""
        return sorted(self._segments)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments, self._prepared = {}, None

    def _best(
        self,
        prepared: Prepared,
        lang: str,
        asked: FloatArray,
        similar: FloatArray | None,
        depth: int,
        share: int,
        allowed: Mask | None,
    ) -> Best:
        """The best `depth` passages of a language: of all that are allowed if they are few, else of the `share` most
        promising."""
        held = [segment.tokens for segment in prepared.segments[lang]]
        total = sum(part.passages for part in held)
        count = total if allowed is None else sum(int(np.count_nonzero(allowed[part.numbers])) for part in held)
        if count > share and similar is not None:
            # Where few passages may be returned, more centroids are probed for as many candidates.
            near = probed(similar, prepared.cells[lang], PROBES * -(-total // count))
            try:
                numbers = promising(prepared.segments[lang], near, share, allowed, prepared.compiled)
                if len(numbers) < depth:
                    first = np.concatenate([part.numbers[part.allowed(allowed)[:depth]] for part in held])
                    numbers = np.union1d(numbers, np.setdiff1d(first, numbers)[: depth - len(numbers)])
                rows = [part.rows_of(numbers) for part in held]
            except IndexError as error:
                raise IndexDamaged(f"the lists of '{lang}' are damaged: run `xsearch check --repair`") from error
        else:
            rows = [part.allowed(allowed) for part in held]
        found, loops = [], (prepared.compiled, prepared.device)
        for part, own in zip(held, rows, strict=True):
            if len(own):
                scores = summed(best_tokens(prepared.book, part, own, asked, *loops))
                found.append(Best.of(part.numbers[own], scores, depth))
        return Best.merge(found, depth)

    def _prepare(self) -> Prepared:
        with self._lock:
            if self._prepared is None:
                if self._book is None:
                    raise IndexDamaged("token vectors without a codebook: run `xsearch check --repair`")
                compiled = compiled_loops() if self._passages >= COMPILED else None
                place = gpu(self._device)
                device = OnDevice(self._book, place) if place else None
                self._prepared = Prepared.of(self._book, self._segments, compiled, device)
            return self._prepared


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Decoded passages of a language. vectors: float32 (n, dim), scales: float32 (n,), as `scoring.decoded` has them;
    starts: int64, where each passage begins."""

    vectors: FloatArray
    scales: FloatArray
    starts: IntArray

    @staticmethod
    def of(book: Codebook, segments: Sequence[Segment], size: int) -> Sample:
        """At most `size` passages, evenly spread in ascending number: which they are depends on the passages alone, not
        on how they are divided into segments."""
        total = sum(segment.tokens.passages for segment in segments)
        wanted = np.unique(np.arange(min(size, total)) * total // min(size, total))
        vectors, scales, starts, before, at = [], [], [], 0, 0
        for segment in segments:
            held = segment.tokens
            rows = wanted[(wanted >= before) & (wanted < before + held.passages)] - before
            tokens, begins = held.of(rows)
            found = decoded(book, held, tokens)
            vectors.append(found[0])
            scales.append(found[1])
            starts.append(begins[:-1] + at)
            before, at = before + held.passages, at + len(tokens)
        return Sample(np.concatenate(vectors), np.concatenate(scales), np.concatenate(starts))

    def spread(self, asked: FloatArray) -> tuple[float, float]:
        """Mean and standard deviation of a query's scores."""
        similar = (self.vectors @ asked.T) * self.scales[:, None]
        scores = summed(np.maximum.reduceat(similar, self.starts, axis=0)).astype(np.float64)
        return float(scores.mean()), float(scores.std())


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What searches share, made by the first. centroids: float32 (dim, k), whole numbers, None where there are none.
    cells: by language, the centroids it has tokens near, ascending."""

    book: Codebook
    segments: Mapping[str, list[Segment]]
    compiled: ModuleType | None
    device: OnDevice | None
    centroids: FloatArray | None
    cells: Mapping[str, IntArray]
    samples: Mapping[str, Sample]

    @staticmethod
    def of(
        book: Codebook,
        segments: Mapping[str, list[Segment]],
        compiled: ModuleType | None,
        device: OnDevice | None,
    ) -> Prepared:
        """Of an index's segments."""
        size = max(1, min(SAMPLE, SAMPLED // len(segments)))
        samples = {lang: Sample.of(book, held, size) for lang, held in segments.items()}
        if book.is_whole:
            return Prepared(book, segments, compiled, device, None, {}, samples)
        cells = {
            lang: np.unique(np.concatenate([segment.lists.listed for segment in held])).astype(np.int64)
            for lang, held in segments.items()
        }
        centroids = np.ascontiguousarray(book.centroids.T.astype(np.float32))
        return Prepared(book, segments, compiled, device, centroids, cells, samples)

    def similar(self, asked: FloatArray) -> FloatArray | None:
        """Products of a query's vectors and the centroids, float32 (q, k)."""
        return None if self.centroids is None else asked @ self.centroids
