"""Fixed-dimensional encodings of token vectors (MUVERA: Dhulipala et al. 2024), to compare candidates with.

A repetition draws hyperplanes, whose signs put a vector into one of 2^planes buckets, and a matrix of ±1/√project. A
query's encoding sums its vectors by bucket; a passage's takes their mean, and of an empty bucket the vector whose signs
differ in the fewest places. Both are projected and put side by side; their dot product estimates MaxSim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class FixedEncoding:
    """planes: hyperplanes of a repetition. project: numbers a bucket. repetitions: how often all is drawn."""

    dim: int
    planes: int = 4
    project: int = 16
    repetitions: int = 20
    seed: int = 1

    @property
    def size(self) -> int:
        return self.repetitions * self.project << self.planes

    def encode(self, vectors: Array, starts: Array, query: bool) -> Array:
        """vectors: float32 (m, dim); starts: (n + 1,), every text with one at least. Returns float32 (n, size)."""
        rng = np.random.default_rng(self.seed)
        buckets, texts = 1 << self.planes, len(starts) - 1
        owners = np.repeat(np.arange(texts), np.diff(starts))
        distances = np.array([[bin(a ^ b).count("1") for b in range(buckets)] for a in range(buckets)], np.float32)
        found = np.empty((texts, self.repetitions, buckets, self.project), np.float32)
        for repetition in range(self.repetitions):
            normals = rng.standard_normal((self.dim, self.planes)).astype(np.float32)
            signs = rng.choice([-1.0, 1.0], (self.dim, self.project)).astype(np.float32) / self.project**0.5
            placed = ((vectors @ normals) > 0) @ (1 << np.arange(self.planes))
            projected = vectors @ signs
            keys = owners * buckets + placed
            order = np.argsort(keys, kind="stable")
            begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
            sums = np.zeros((texts * buckets, self.project), np.float32)
            sums[keys[order][begins]] = np.add.reduceat(projected[order], begins, axis=0)
            sums = sums.reshape(texts, buckets, self.project)
            if not query:
                counts = np.bincount(keys, minlength=texts * buckets).reshape(texts, buckets)
                sums /= np.maximum(counts, 1)[:, :, None]
                # The nearest bucket that has vectors stands for its first.
                filled = distances[None] + np.where(counts > 0, 0.0, 1e3)[:, None, :]
                nearest = filled.argmin(axis=2)
                sums = np.take_along_axis(sums, nearest[:, :, None], axis=1)
            found[:, repetition] = sums
        return found.reshape(texts, self.size)
