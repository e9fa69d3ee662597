"""Token vectors as the number of the nearest centroid and a few bits a component for what is left (ColBERTv2:
Santhanam et al. 2022a, section 3.3).

    v ≈ c + w[b]     c the centroid, b the 1, 2 or 4 bits of each component, w[b] the weight of its bucket

Buckets start as ColBERTv2's, quantiles of the residuals of a sample, and are then moved by Lloyd's iteration to where
the squared error is least (Max 1960): a component belongs to the nearest weight. Few vectors are kept without centroids
in 8 bits a component on an even grid.

All of it is whole numbers: 1 is 2^11 in a vector and 2^12 in a query, so that every partial sum of a dot product stays
below 2^24 (‖q‖ ‖v‖, by Cauchy and Schwarz) and comes out the same whatever adds it up, in float32 too.

    <trained>.codebook

`trained` is the number of tokens it was learnt for. All little-endian: magic 58 53 43 4f 44 45 00 02 (XSCODE, 0,
version 2); int64 centroids k, components d, weights 2^bits; int16 (2^bits,) weights; int8 (k, d) centroids in steps of
2^-7: what a centroid is rounded by is in the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray

UNIT = 1 << 11
"""The length of a vector."""
ASKED = 1 << 12
"""The length of a query's vector."""
WHOLE = 8
"""Bits a component of vectors kept without centroids."""
STEP = UNIT >> 7
"""Components of centroids, and of vectors kept without, are multiples of it: 2^-7, so that they fit in a byte."""
STEPS = 60
"""Of Lloyd's iteration over the weights."""
BLOCK = 1 << 16
"""Vectors whose residuals are counted at once."""
MAGIC = b"XSCODE\x00\x02"
HEADER = 32

Integers = NDArray[np.int16]
Cells = NDArray[np.integer[Any]]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Codebook:
    """centroids: int16 (k, dim), in 2^-11, multiples of `STEP`. weights: int16 (2^bits,), ascending: what the bits of a
    component stand for."""

    centroids: Integers
    weights: Integers

    @property
    def dim(self) -> int:
        """Components of a vector."""
        return int(self.centroids.shape[1])

    @property
    def bits(self) -> int:
        """Bits of a component: 1, 2, 4 or 8."""
        return len(self.weights).bit_length() - 1

    @property
    def width(self) -> int:
        """Bytes of a vector's bits; a last byte that is not full has zeros behind."""
        return -(-self.dim * self.bits // 8)

    @cached_property
    def vectors(self) -> FloatArray:
        """The centroids, float32 (k, dim)."""
        return self.centroids.astype(np.float32) / np.float32(UNIT)

    @property
    def is_whole(self) -> bool:
        """Whether vectors are kept without centroids."""
        return self.bits == WHOLE

    def encode(self, vectors: FloatArray, cells: IntArray) -> Bytes:
        """Bits of vectors, float32 (n, dim) of length 1, whose centroids are known: uint8 (n, width), the first
        component in the highest bits."""
        residuals = integers(vectors, UNIT) - self.centroids[cells]
        buckets = self._bucket_of[np.clip(residuals, -2 * UNIT, 2 * UNIT) + 2 * UNIT]
        return pack(buckets, self.bits)

    def decode(self, cells: Cells, codes: Bytes) -> Integers:
        """Vectors, int16 (n, dim), of a length near 2^11."""
        parts = self.byte_weights[codes].reshape(len(codes), self.width * (8 // self.bits))[:, : self.dim]
        decoded: Integers = self.centroids[cells] + parts
        return decoded

    @cached_property
    def byte_weights(self) -> Integers:
        """What the components in a byte stand for, int16 (256, components a byte)."""
        return self.weights[unpack(np.arange(256, dtype=np.uint8)[:, None], self.bits)]

    @cached_property
    def _bucket_of(self) -> Bytes:
        """The bucket of a residual, by the residual + 2^12."""
        values = np.arange(-2 * UNIT, 2 * UNIT + 1)
        borders = (self.weights[1:].astype(np.float64) + self.weights[:-1]) / 2
        return np.searchsorted(borders, values, side="right").astype(np.uint8)


def whole(dim: int) -> Codebook:
    """The codebook of vectors kept without centroids."""
    return Codebook(np.zeros((1, dim), np.int16), ((np.arange(256) - 128) * STEP).astype(np.int16))


def learn_codebook(centroids: FloatArray, vectors: FloatArray, cells: IntArray, bits: int) -> Codebook:
    """The codebook of centroids, float32 (k, dim), for residuals like those of `vectors`, float32 (n, dim)."""
    rounded = (np.clip(np.rint(centroids * (UNIT // STEP)), -128, 127) * STEP).astype(np.int16)
    # Residuals are whole numbers: how often each occurs is all there is to know of them.
    values = np.arange(-2 * UNIT, 2 * UNIT + 1, dtype=np.float64)
    often = np.zeros(len(values), dtype=np.int64)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        residuals = integers(vectors[block], UNIT) - rounded[cells[block]]
        often += np.bincount((residuals + 2 * UNIT).ravel(), minlength=len(values))
    below = np.concatenate(([0], np.cumsum(often)))
    sums = np.concatenate(([0.0], np.cumsum(often * values)))
    count = 1 << bits
    ranks = ((np.arange(count) + 0.5) / count * below[-1]).astype(np.int64)
    weights = values[np.searchsorted(below, ranks, side="right") - 1]
    for _ in range(STEPS):
        borders = np.searchsorted(values, (weights[1:] + weights[:-1]) / 2)
        ends = np.concatenate(([0], borders, [len(values)]))
        sizes = np.diff(below[ends])
        weights = np.where(sizes > 0, np.diff(sums[ends]) / np.maximum(sizes, 1), weights)
    return Codebook(rounded, np.rint(weights).astype(np.int16))


def codebook_name(trained: int) -> str:
    """Path of a codebook learnt for so many tokens, relative to the part's folder."""
    return f"{trained}.codebook"


def packed_codebook(book: Codebook) -> bytes:
    """The file's content."""
    sizes = np.array([*book.centroids.shape, len(book.weights)], dtype="<i8")
    arrays = sizes, book.weights.astype("<i2"), (book.centroids // STEP).astype(np.int8)
    return MAGIC + b"".join(array.tobytes() for array in arrays)


def read_codebook(path: Path, dim: int, bits: int) -> Codebook:
    """Read a codebook of so many components and bits. Raises `IndexDamaged` when the file is missing or does not
    hold one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    if content[:7] == MAGIC[:7] and content[7:8] != MAGIC[7:]:
        raise IndexDamaged(f"{path} was written by another version of xsearch: run `xsearch compact`")
    start = HEADER + 2 * (1 << bits)
    count, beyond = divmod(len(content) - start, dim)
    if count < 1 or beyond or content[:HEADER] != MAGIC + np.array([count, dim, 1 << bits], dtype="<i8").tobytes():
        raise IndexDamaged(f"{path} does not hold centroids of {dim} components: run `xsearch check --repair`")
    centroids = np.frombuffer(content[start:], np.int8).reshape(count, dim).astype(np.int16) * np.int16(STEP)
    return Codebook(centroids, np.frombuffer(content[HEADER:start], "<i2"))


def integers(vectors: FloatArray, unit: int) -> Integers:
    """Vectors of any length but 0 as whole numbers of length about `unit`, int16 (n, dim)."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))[:, None]
    rounded: Integers = np.rint(vectors * (unit / np.maximum(lengths, 1e-30))).astype(np.int16)
    return rounded


def pack(buckets: Bytes, bits: int) -> Bytes:
    """Numbers below 2^bits, uint8 (n, m), several a byte, the first in the highest bits: uint8 (n, ceil(m bits /
    8))."""
    each = 8 // bits
    padded = np.pad(buckets, ((0, 0), (0, -buckets.shape[1] % each)))
    columns = padded.reshape(len(buckets), -1, each)
    packed = np.zeros(columns.shape[:2], dtype=np.uint8)
    for place in range(each):
        packed |= columns[:, :, place] << np.uint8(bits * (each - 1 - place))
    return packed


def unpack(packed: Bytes, bits: int) -> Bytes:
    """What was packed, and the zeros behind it: uint8 (n, 8 / bits · bytes)."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    numbers: Bytes = (packed[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return numbers.reshape(len(packed), -1)
