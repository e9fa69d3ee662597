"""Searches the part `colbert`: candidates by centroid probing, then MaxSim of their decoded tokens."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import EncoderMismatch, FloatArray, IndexDamaged, IntArray, Mask, Query, Ranking
from xsearch.retrieve.best import Best
from xsearch.retrieve.colbert.device import OnDevice, gpu
from xsearch.retrieve.colbert.prepared import Prepared
from xsearch.retrieve.colbert.probe import probed, promising
from xsearch.retrieve.colbert.scoring import ask, best_tokens, compiled_loops, summed
from xsearch.retrieve.colbert.segment import Segment, map_segment, segment_name
from xsearch.retrieve.colbert.writer import open_codebook

PROBES = 64
"""Centroids of a language that are probed for each vector of a query."""
RESCORED = 2000
"""Passages whose tokens are decoded for a query, shared out among the languages, but for each half again as many as are
asked for."""
EXHAUSTIVE = 256
"""Up to so many passages of a language are all scored."""
AT_ONCE = 4096
"""Passages scored at once: bounds the memory where all are."""
COMPILED = 20_000
"""Passages of an index from which on compiled loops pay for being loaded (half a second)."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query as the languages are asked it.

    vectors: float32 (q, dim), whole numbers as `scoring.ask` makes them. similar: their products with the centroids, or
    None where there are none. depth: passages wanted. share: passages scored at most where there are many. allowed:
    those that may be returned.
    """

    vectors: FloatArray
    similar: FloatArray | None
    depth: int
    share: int
    allowed: Mask | None


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
        `depth` of a language come whenever it has them. `query.exact` has all passages scored. The ranking's background
        is mean and standard deviation of this query's scores over a sample of each language's passages. A query without
        vectors finds nothing. Raises `EncoderMismatch` when the vectors are of another dimension than the index.
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
        integers = ask(vectors)
        if not len(integers):
            return Ranking.of([], [])
        prepared = self._prepare()
        share = sys.maxsize if query.exact else max(depth + depth // 2, RESCORED // len(held))
        asked = Asked(integers, prepared.similar(integers), depth, share, allowed)
        background = {lang: prepared.samples[lang].spread(integers) for lang in held}
        best = Best.merge([self._best(prepared, lang, asked) for lang in held], depth * len(held))
        return Ranking.of(best.passages, best.scores, background)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: vectors compare across languages; how well is the encoder's to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have token vectors, sorted."""
        return sorted(self._segments)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments, self._prepared = {}, None

    def _best(self, prepared: Prepared, lang: str, asked: Asked) -> Best:
        """The best passages of a language."""
        found = []
        for part, chosen in zip(prepared.tokens(lang), self._rows(prepared, lang, asked), strict=True):
            for start in range(0, len(chosen), AT_ONCE):
                rows, loops = chosen[start : start + AT_ONCE], (prepared.compiled, prepared.device)
                scores = summed(best_tokens(prepared.book, part, rows, asked.vectors, *loops))
                found.append(Best.of(part.numbers[rows], scores, asked.depth))
        return Best.merge(found, asked.depth)

    def _rows(self, prepared: Prepared, lang: str, asked: Asked) -> list[IntArray]:
        """The passages of a language to score, by segment: all that are allowed if they are few, else the `share` most
        promising, filled up to `depth` with the first there are."""
        held, allowed = prepared.tokens(lang), asked.allowed
        total = sum(part.passages for part in held)
        count = total if allowed is None else sum(int(np.count_nonzero(allowed[part.numbers])) for part in held)
        if asked.similar is None or count <= max(asked.share, EXHAUSTIVE):
            return [part.allowed(allowed) for part in held]
        # Where few passages may be returned, more centroids are probed for as many candidates.
        near = probed(asked.similar, prepared.cells[lang], PROBES * -(-total // count))
        try:
            numbers = promising(prepared.segments[lang], near, asked.share, allowed, prepared.compiled)
            if len(numbers) < asked.depth:
                first = np.concatenate([part.numbers[part.allowed(allowed)[: asked.depth]] for part in held])
                numbers = np.union1d(numbers, np.setdiff1d(first, numbers)[: asked.depth - len(numbers)])
            return [part.rows_of(numbers) for part in held]
        except IndexError as error:
            raise IndexDamaged(f"the lists of '{lang}' are damaged: run `xsearch check --repair`") from error

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
