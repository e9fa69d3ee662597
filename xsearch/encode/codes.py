"""Table rows in few bits: k successive numbers become one byte, the nearest of 256 k-tuples of a codebook.

Vector quantisation (Gersho and Gray 1992, chapter 10) with one codebook for all places, as in product quantisation
(Jégou, Douze and Schmid 2011): with k = 3 a number takes 2⅔ bits, and reading a row is one look-up a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray

ENTRIES = 256
ROUNDS = 25
SAMPLE = 60_000
BLOCK = 4096
LARGEST = 127


@dataclass(frozen=True, eq=False)
class CodedRows:
    """A float table in codes: row r is ``scales[r] * codebook[codes[r]]``, joined and cut to `dim` numbers.

    codes: uint8 (rows, ceil(dim / k)). scales: float16 (rows,). codebook: float32 (256, k).
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    codebook: FloatArray
    dim: int

    def __len__(self) -> int:
        return len(self.scales)

    def rows(self, numbers: NDArray[np.integer]) -> FloatArray:
        """Rows with these numbers, float32 (n, dim)."""
        width = self.codes.shape[1] * self.codebook.shape[1]
        decoded = self.codebook.take(self._codes_of(numbers), axis=0).reshape(len(numbers), width)[:, : self.dim]
        scaled: FloatArray = decoded * self.scales[numbers].astype(np.float32)[:, None]
        return scaled

    def _codes_of(self, numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
        # `take` copies rows whole, in a fifth of an index's time; numpy's class for mapped files takes its own.
        codes: NDArray[np.uint8] = np.asarray(self.codes).take(numbers, axis=0)
        return codes

    @cached_property
    def _integers(self) -> tuple[NDArray[np.int8], float]:
        """The codebook in 8 bits, int8 (256, k filled up with zeros to a power of two), and what one step is worth."""
        step = float(np.abs(self.codebook).max(initial=1e-12)) / LARGEST
        group = self.codebook.shape[1]
        integers = np.zeros((ENTRIES, 1 << (group - 1).bit_length()), dtype=np.int8)
        integers[:, :group] = np.rint(self.codebook / step)
        return integers, step

    def integers(self, numbers: NDArray[np.integer]) -> tuple[NDArray[np.int8], FloatArray]:
        """Rows in 8 bits: int8 (n, d), |x| ≤ 127, and float32 (n,), what each is to be multiplied with.

        Some of the d columns are zeros for every row, so that a byte's numbers can be copied as one integer, in
        half the time that `rows` takes; dot products between such rows are those of `rows`, up to rounding the
        codebook to 8 bits.
        """
        codebook, step = self._integers
        codes, group = self._codes_of(numbers), codebook.shape[1]
        if group <= 8:
            wide = codebook.view(f"u{group}")[:, 0].take(codes)
            rows = wide.view(np.int8).reshape(len(numbers), -1)
        else:
            rows = codebook.take(codes, axis=0).reshape(len(numbers), -1)
        last = self.codes.shape[1] - 1
        rows[:, last * group + self.dim - last * self.codebook.shape[1] :] = 0
        return rows, self.scales[numbers].astype(np.float32) * np.float32(step)


class DecodedRows:
    """A coded table's rows as floats, each decoded when it is first asked for. Safe to use from several threads."""

    def __init__(self, table: CodedRows) -> None:
        self._table = table
        self._rows = np.empty((0, table.dim), dtype=np.float32)
        self._held = np.zeros(len(table), dtype=np.bool_)
        self._lock = Lock()

    def covering(self, numbers: NDArray[np.integer]) -> FloatArray:
        """The table, float32 (rows, dim), in which the rows with these numbers are decoded; others may be anything."""
        with self._lock:
            if not len(self._rows):
                # Memory that is never written to is never taken.
                self._rows = np.empty((len(self._table), self._table.dim), dtype=np.float32)
            missing = np.unique(numbers[~self._held[numbers]])
            self._rows[missing] = self._table.rows(missing)
            self._held[missing] = True
            return self._rows


def code_rows(table: FloatArray, group: int, rng: np.random.Generator) -> CodedRows:
    """`table` (rows, dim) in codes of `group` numbers a byte.

    The codebook is learnt from rows scaled to length √dim, whose numbers vary about 1; a row's scale makes the coded
    row as long as the row.
    """
    count, dim = table.shape
    sampled = rng.permutation(count)[: -(-SAMPLE // -(-dim // group))]
    return code_with(learn_codebook(_tuples(table[sampled], group), rng), table)


def code_with(codebook: FloatArray, table: FloatArray) -> CodedRows:
    """`table` (rows, dim) in codes of a codebook that there is already."""
    count, dim = table.shape
    group = codebook.shape[1]
    width = -(-dim // group)
    codes = np.empty((count, width), dtype=np.uint8)
    scales = np.empty(count, dtype=np.float16)
    for begin in range(0, count, BLOCK):
        rows = table[begin : begin + BLOCK]
        found = nearest(_tuples(rows, group), codebook).reshape(len(rows), width)
        lengths = np.linalg.norm(codebook[found].reshape(len(rows), -1)[:, :dim], axis=1)
        codes[begin : begin + BLOCK] = found
        scales[begin : begin + BLOCK] = np.linalg.norm(rows, axis=1) / np.maximum(lengths, 1e-12)
    return CodedRows(codes, scales, codebook, dim)


def _tuples(rows: FloatArray, group: int) -> FloatArray:
    """The numbers of `rows` (n, dim), each row scaled to length √dim and filled up with zeros, `group` at a time."""
    count, dim = rows.shape
    factors = (np.sqrt(dim) / np.maximum(np.linalg.norm(rows, axis=1), 1e-12)).astype(np.float32)
    padded = np.zeros((count, -(-dim // group) * group), dtype=np.float32)
    padded[:, :dim] = rows * factors[:, None]
    return padded.reshape(-1, group)


def learn_codebook(tuples: FloatArray, rng: np.random.Generator) -> FloatArray:
    """256 k-tuples that represent `tuples` (n, k) with small squared error, by k-means (Lloyd 1982). A centre that
    nothing is near to stays where it is."""
    codebook = tuples[rng.choice(len(tuples), ENTRIES, replace=len(tuples) < ENTRIES)].copy()
    for _ in range(ROUNDS):
        own = nearest(tuples, codebook)
        sizes = np.bincount(own, minlength=ENTRIES)
        for place in range(tuples.shape[1]):
            sums = np.bincount(own, weights=tuples[:, place], minlength=ENTRIES)
            codebook[:, place] = np.where(sizes > 0, sums / np.maximum(sizes, 1), codebook[:, place])
    return codebook


def nearest(tuples: FloatArray, codebook: FloatArray) -> NDArray[np.uint8]:
    """The nearest codebook entry of every tuple (n, k), in Euclidean distance: uint8 (n,)."""
    found = np.empty(len(tuples), dtype=np.uint8)
    half_squares = 0.5 * (codebook * codebook).sum(axis=1)
    for begin in range(0, len(tuples), BLOCK):
        block = tuples[begin : begin + BLOCK]
        found[begin : begin + BLOCK] = (block @ codebook.T - half_squares).argmax(axis=1)
    return found
