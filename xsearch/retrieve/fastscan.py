"""Which windows of a large segment are worth scoring: 4-bit product quantisation, scanned whole by FAISS.

A vector is cut into m parts, each kept as the number of the nearest of 16 centroids learnt for that part (product
quantisation: Jégou, Douze and Schmid, TPAMI 2011, section II); a query's products with all 16 of every part stand in
the processor's registers (André, Kermarrec and Le Scouarnec, "Quicker ADC", TPAMI 2021). What a scan puts first is
scored again on the vectors as they are stored, so that windows' scores are those of exact search and only what the scan
left out can be missing.

With two components a part a vector takes a quarter of a byte a component. Inverted lists and graphs lost to this on
vectors of sentences asked for in another language: their neighbours lie in many cells (`eval/results/ann.jsonl`).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.core.extras import need_faiss
from xsearch.core.order import best_first
from xsearch.retrieve.stored import Rows, Stored
from xsearch.retrieve.threads import one_thread

FROM_WINDOWS = 8_000
"""Windows of a segment from which on scanning first is sooner than scoring them all: by two fifths at 10,000, by seven
tenths at 150,000 and at a million (`eval/results/ann.jsonl`)."""
MOST_PARTS = 512
"""More would leave a part too few of the 16 bits in which the scan adds up."""
LEARNT_FROM = 2048
"""Vectors, evenly spread, that centroids are learnt from, 128 for each: twice as many, and more rounds, find one
neighbour in a thousand more and take three times as long, most of what a commit of a large index waits for."""
ROUNDS = 4
"""Of k-means."""
CANDIDATES = 3
"""Rows scored, of those a scan puts first, for each that is wanted."""
BLOCK = 16_384
"""Vectors decoded at once while they are quantised."""


def parts_of(dim: int) -> int:
    """How many parts a vector of `dim` components is cut into; 0 where it cannot be cut evenly."""
    return next((dim // size for size in range(2, dim + 1) if dim % size == 0 and dim // size <= MOST_PARTS), 0)


def quantise(stored: Stored, rows: Rows, parts: int) -> bytes:
    """The rows of a segment quantised, as FAISS writes an `IndexPQFastScan` of inner products.

    Takes memory for the result and a block of decoded vectors. The same rows give the same bytes: one thread, fixed
    seeds.
    """
    faiss = need_faiss()
    count = len(rows)
    with one_thread(faiss):
        learnt_from = stored.decode(rows[np.arange(min(count, LEARNT_FROM)) * count // min(count, LEARNT_FROM)])
        index = faiss.IndexPQFastScan(learnt_from.shape[1], parts, 4, faiss.METRIC_INNER_PRODUCT)
        index.pq.cp.niter = ROUNDS
        index.train(learnt_from)
        for start in range(0, count, BLOCK):
            index.add(stored.decode(rows[start : start + BLOCK]))
    written: bytes = faiss.serialize_index(index).tobytes()
    return written


class Scan:
    """Finds the nearest of a segment's rows by its quantised ones, kept in memory.

    quantised: what `quantise` made. stored, codes: the rows it scores again; by_faiss: FAISS's index of them, where
    there is one. Raises ValueError when `quantised` is not of these rows.
    """

    most = 1 << 30

    def __init__(self, faiss: ModuleType, quantised: Rows, stored: Stored, codes: Rows, by_faiss: Any | None) -> None:
        try:
            index: Any = faiss.deserialize_index(quantised)
        except RuntimeError as error:
            raise ValueError(f"no index of FAISS: {str(error).splitlines()[0]}") from error
        if not isinstance(index, faiss.IndexPQFastScan) or (index.ntotal, index.d) != (len(codes), stored.dim):
            raise ValueError(f"not {len(codes)} quantised vectors of {stored.dim} components")
        self._index, self._stored, self._codes = index, stored, codes
        self._refined: Any | None = None
        if by_faiss is not None:
            self._refined = faiss.IndexRefine(index, by_faiss)
            self._refined.k_factor = CANDIDATES

    def search(self, queries: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
        """The best `count` rows of those that seem best to each query, float32 (m, dim) as `Stored.encode_queries`
        made it: products float32 (m, count), descending, and rows int64 (m, count). A query's answer does not depend
        on the others."""
        if self._refined is not None:
            scores, rows = self._refined.search(queries, count)
            return scores, rows
        _, candidates = self._index.search(queries, min(CANDIDATES * count, len(self._codes)))
        return rescored(self._stored, self._codes, queries, candidates, count)


def rescored(
    stored: Stored, codes: Rows, queries: FloatArray, candidates: IntArray, count: int
) -> tuple[FloatArray, IntArray]:
    """The best `count` of each query's candidates, int64 (m, n), -1 for none, by the rows as they are stored: products
    float32 (m, count), descending, and rows int64 (m, count); minus infinity and -1 where there are fewer."""
    products = np.full((len(queries), count), -np.inf, dtype=np.float32)
    found = np.full((len(queries), count), -1, dtype=np.int64)
    for place, row in enumerate(np.sort(candidates, axis=1)):
        rows = row[np.searchsorted(row, 0) :]
        scores = stored.dot(codes, queries[place : place + 1], rows)[:, 0]
        best = best_first(scores, count)
        products[place, : len(best)], found[place, : len(best)] = scores[best], rows[best]
    return products, found
