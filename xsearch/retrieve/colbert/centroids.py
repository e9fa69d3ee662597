"""Centroids of token vectors by k-means, in bounded time and memory: trained on a sample, in two levels where there are
many.

Their number is that of ColBERTv2 (Santhanam et al. 2022a, section 3.3): for t tokens the power of two at or below
16 √t. Lloyd's iteration (Lloyd 1982) over s sampled vectors and k centroids multiplies s · k pairs; with √k coarse
cells, each divided by a share of the centroids in proportion to its vectors, it is about 2 s √k. FAISS finds the
nearest centroids where it is installed (on the GPUs where its build has them), NumPy otherwise.
"""

from __future__ import annotations

import math

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.core.extras import have, need_faiss

ITERATIONS = 6
POINTS = 48
"""Sampled vectors for a centroid."""
MOST_SAMPLED = 1 << 21
"""Vectors a sample holds at most: a gigabyte in 128 dimensions."""
FLAT = 1024
"""Up to so many centroids all are compared with every vector."""
AROUND = 16
"""Coarse cells among whose centroids a vector's nearest is looked for: those around its own, that among them."""
BLOCK = 4096
SEED = 20240817


def centroid_count(tokens: int) -> int:
    """How many centroids an index of so many tokens has; at least one."""
    return int(2 ** math.floor(math.log2(max(1.0, 16 * math.sqrt(tokens)))))


def sample_size(tokens: int) -> int:
    """How many of so many tokens centroids are learnt from."""
    return min(tokens, MOST_SAMPLED, POINTS * centroid_count(tokens))


def kmeans(vectors: FloatArray, count: int) -> FloatArray:
    """Centroids of `vectors`, float32 (n, dim): float32 (k, dim), k = min(count, n), the means of what is nearest to
    each. The same vectors give the same centroids."""
    rng = np.random.default_rng(SEED)
    count = min(count, len(vectors))
    if count <= FLAT:
        return _lloyd(vectors, count, rng)
    coarse = _lloyd(vectors, int(2 ** (math.log2(count) // 2)), rng)
    cells = _nearest_of_all(vectors, coarse)
    order = np.argsort(cells, kind="stable")
    sizes = np.bincount(cells, minlength=len(coarse))
    parts = np.split(order, np.cumsum(sizes)[:-1])
    shares = _shares(sizes, count)
    found = [_lloyd(vectors[rows], share, rng) for rows, share in zip(parts, shares.tolist(), strict=True) if share]
    centroids = np.concatenate(found)
    # Vectors at the border of a coarse cell may be nearer to a centroid of the next.
    return _means(vectors, Nearest(centroids).find(vectors), centroids)


class Nearest:
    """Finds the nearest of some centroids, float32 (k, dim), for many vectors: of all of them where they are few, else
    of those in the coarse cells around the vector's own, which misses the nearest for a few vectors in a hundred by
    little."""

    def __init__(self, centroids: FloatArray) -> None:
        self._centroids = centroids
        self._coarse = _lloyd(centroids, math.isqrt(len(centroids)), np.random.default_rng(SEED))
        members = np.argsort(cells := _nearest_of_all(centroids, self._coarse), kind="stable")
        held = np.split(members, np.cumsum(np.bincount(cells, minlength=len(self._coarse)))[:-1])
        distances = np.square(self._coarse[:, None] - self._coarse[None]).sum(axis=2)
        around = np.argsort(distances, axis=1, kind="stable")[:, :AROUND]
        self._candidates = [np.sort(np.concatenate([held[cell] for cell in row])) for row in around.tolist()]

    def find(self, vectors: FloatArray) -> IntArray:
        """Numbers of centroids, int64 (n,), for float32 (n, dim)."""
        if len(self._centroids) <= FLAT:
            return _nearest_of_all(vectors, self._centroids)
        cells = _nearest_of_all(vectors, self._coarse)
        order = np.argsort(cells, kind="stable")
        found = np.empty(len(vectors), dtype=np.int64)
        for rows in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
            candidates = self._candidates[cells[rows[0]]]
            found[rows] = candidates[_nearest_of_all(vectors[rows], self._centroids[candidates])]
        return found


def _lloyd(vectors: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """Lloyd's iterations from `count` of the vectors."""
    centroids = vectors[np.sort(rng.permutation(len(vectors))[:count])]
    if count == len(vectors):
        return centroids
    for _ in range(ITERATIONS):
        centroids = _means(vectors, _nearest_of_all(vectors, centroids), centroids)
    return centroids


def _means(vectors: FloatArray, cells: IntArray, before: FloatArray) -> FloatArray:
    """The mean of each cell's vectors; of a cell without any, the centroid as it was."""
    sizes = np.bincount(cells, minlength=len(before))
    order = np.argsort(cells, kind="stable")
    held = np.flatnonzero(sizes)
    means = before.copy()
    starts = np.concatenate(([0], np.cumsum(sizes[held])[:-1]))
    means[held] = np.add.reduceat(vectors[order], starts, axis=0) / sizes[held, None].astype(np.float32)
    return means


def _shares(sizes: IntArray, count: int) -> IntArray:
    """`count` centroids divided among cells in proportion to their sizes: at least one for a cell that has vectors, no
    more than it has."""
    shares: IntArray = np.minimum(sizes, np.maximum(sizes > 0, sizes * count // sizes.sum()))
    while (missing := count - int(shares.sum())) > 0:
        # The cells whose centroids have most vectors each get one more.
        crowded = np.argsort(-(sizes / np.maximum(shares, 1)) * (shares < sizes), kind="stable")[:missing]
        shares[crowded[shares[crowded] < sizes[crowded]]] += 1
    return shares


def _nearest_of_all(vectors: FloatArray, centroids: FloatArray) -> IntArray:
    if have("faiss"):
        faiss = need_faiss()
        index = faiss.IndexFlatL2(centroids.shape[1])
        if _gpus(faiss):
            index = faiss.index_cpu_to_all_gpus(index)
        index.add(centroids)
        found: IntArray = index.search(vectors, 1)[1][:, 0]
        return found
    # The nearest has the largest v · c − |c|² / 2.
    halves = 0.5 * np.einsum("kd,kd->k", centroids, centroids)
    parts = [
        (vectors[start : start + BLOCK] @ centroids.T - halves).argmax(axis=1)
        for start in range(0, len(vectors), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _gpus(faiss: object) -> bool:
    return hasattr(faiss, "StandardGpuResources") and bool(getattr(faiss, "get_num_gpus", int)())
