"""What searches of a snapshot of token vectors share: its codebook ready to be multiplied, and samples of languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.retrieve.colbert.codebook import Codebook
from xsearch.retrieve.colbert.device import OnDevice
from xsearch.retrieve.colbert.scoring import decoded, summed
from xsearch.retrieve.colbert.segment import Segment, Tokens

SAMPLE = 64
"""Passages of a language that stand for all of it, fewer where there are many languages."""
SAMPLED = 512
"""Passages of all samples together."""


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

    def tokens(self, lang: str) -> list[Tokens]:
        """The passages of a language, by segment."""
        return [segment.tokens for segment in self.segments[lang]]

    def similar(self, asked: FloatArray) -> FloatArray | None:
        """Products of a query's vectors and the centroids, float32 (q, k)."""
        return None if self.centroids is None else asked @ self.centroids
