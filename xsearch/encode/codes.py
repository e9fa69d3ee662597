"""Table rows in few bits: every number becomes one of a few levels, several of which share a byte.

With L levels a byte holds the largest k codes for which L ** k <= 256: two of 16 levels, three of 6, four of 4, five
of 3. Reading is one table look-up a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray

LEVELS = (3, 4, 6, 16)
ROUNDS = 60
BLOCK = 4096


def codes_per_byte(levels: int) -> int:
    """How many codes of `levels` values fit a byte."""
    count = 1
    while levels ** (count + 1) <= 256:
        count += 1
    return count


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A float table in codes: row r is ``scales[r] * levels[codes of row r]``.

    codes: uint8 (rows, ceil(dim / codes per byte)), the first number in the lowest digit. scales: float16 (rows,).
    levels: float32 (L,), ascending.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    levels: FloatArray
    dim: int

    def __len__(self) -> int:
        return len(self.scales)

    def rows(self, numbers: NDArray[np.integer]) -> FloatArray:
        """Rows with these numbers, float32 (n, dim)."""
        decoded: FloatArray = self._decode(self.codes[numbers]) * self.scales[numbers].astype(np.float32)[:, None]
        return decoded

    def _decode(self, codes: NDArray[np.uint8]) -> FloatArray:
        per_byte = codes_per_byte(len(self.levels))
        digits = np.arange(256)[:, None] // len(self.levels) ** np.arange(per_byte) % len(self.levels)
        decoded: FloatArray = self.levels[digits].take(codes, axis=0)
        return decoded.reshape(len(codes), codes.shape[1] * per_byte)[:, : self.dim]


def fit_levels(values: FloatArray, levels: int) -> FloatArray:
    """The levels that represent `values` with least squared error (Lloyd 1982; the k-means of one dimension)."""
    ordered = np.sort(values.ravel().astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = ordered[((np.arange(levels) + 0.5) / levels * len(ordered)).astype(np.int64)]
    for _ in range(ROUNDS):
        cuts = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        edges = np.concatenate([[0], cuts, [len(ordered)]])
        sizes = np.diff(edges)
        centres = np.where(sizes > 0, np.diff(sums[edges]) / np.maximum(sizes, 1), centres)
    return centres.astype(np.float32)


def encode_rows(table: FloatArray, levels: FloatArray) -> CodedRows:
    """`table` (rows, dim) in codes of `levels`, which are fitted to coordinates of rows scaled to length √dim.

    The scale of a row makes the coded row as long as the row.
    """
    count, dim = table.shape
    per_byte = codes_per_byte(len(levels))
    width = -(-dim // per_byte)
    codes = np.zeros((count, width), dtype=np.uint8)
    scales = np.zeros(count, dtype=np.float16)
    middle = (levels[1:] + levels[:-1]) / 2
    powers = len(levels) ** np.arange(per_byte)
    for begin in range(0, count, BLOCK):
        block = table[begin : begin + BLOCK]
        norms = np.linalg.norm(block, axis=1)
        unit = block * (np.sqrt(dim) / np.maximum(norms, 1e-12))[:, None]
        nearest = np.searchsorted(middle, unit)
        lengths = np.linalg.norm(levels[nearest], axis=1)
        scales[begin : begin + BLOCK] = norms / np.maximum(lengths, 1e-12)
        padded = np.zeros((len(block), width * per_byte), dtype=np.int64)
        padded[:, :dim] = nearest
        codes[begin : begin + BLOCK] = (padded.reshape(len(block), width, per_byte) * powers).sum(axis=2)
    return CodedRows(codes, scales, levels, dim)
