"""How the dense retriever keeps vectors: as 8-bit codes (`retrieve.codes`), as floats, or as signs.

    int8     1 byte a component; FAISS and numpy give the same scores
    fp32     4 bytes, fp16 2 bytes: scores are those of the vectors, or off by 2^-11 of each component
    binary   1 bit: the component's sign. The query keeps its components: score = Σ_i q_i · sign(d_i) / √dim, which
             ranks better than the Hamming distance of two rows of signs (the second stage of Yamada et al. 2021, here
             over all windows)

Floats and signs lie in NumPy's format 1.0, little-endian, and are scored by numpy; in a large segment, those windows
alone that a scan of quantised vectors finds (`retrieve.fastscan`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray
from xsearch.retrieve import codes

Rows = NDArray[Any]
Kind = Literal["int8", "fp32", "fp16", "binary"]
KINDS: tuple[Kind, ...] = ("int8", "fp32", "fp16", "binary")


class Stored(Protocol):
    """How vectors of one dimension become rows of a file and are scored there."""

    @property
    def dim(self) -> int:
        """Components of a vector."""

    @property
    def suffix(self) -> str:
        """Of the files."""

    def encode(self, vectors: FloatArray) -> Rows:
        """Vectors float32 (n, dim) as rows to keep. Raises ValueError when one is not finite."""

    def encode_queries(self, vectors: FloatArray) -> tuple[FloatArray, NDArray[np.float64]]:
        """Queries float32 (m, dim) as `dot` wants them, and for each the factor that makes a cosine of a product, 0
        for a query that is all zero."""

    def header(self, rows: int) -> bytes:
        """What stands before so many rows in a file."""

    def map(self, path: Path, rows: int) -> tuple[NDArray[np.uint8] | None, Rows]:
        """Map a file: whole, where FAISS is to read it, and its rows. Raises `IndexDamaged` when it is missing or not
        what was written."""

    def decode(self, rows: Rows) -> FloatArray:
        """Rows as what `dot` multiplies queries with, float32 (n, dim)."""

    def dot(self, rows: Rows, queries: FloatArray, chosen: IntArray | None = None) -> FloatArray:
        """Products of rows, or of the chosen ones, with queries: float32 (n, m)."""


@dataclass(frozen=True, slots=True)
class Int8:
    """8-bit codes: see `retrieve.codes`."""

    quantizer: codes.Quantizer
    suffix: str = "faiss"

    @property
    def dim(self) -> int:
        """The quantizer's."""
        return self.quantizer.dim

    def encode(self, vectors: FloatArray) -> Rows:
        """Codes."""
        return self.quantizer.encode(vectors)

    def encode_queries(self, vectors: FloatArray) -> tuple[FloatArray, NDArray[np.float64]]:
        """Integers."""
        return self.quantizer.encode_queries(vectors)

    def header(self, rows: int) -> bytes:
        """FAISS's."""
        return codes.header(rows, self.quantizer.dim)

    def map(self, path: Path, rows: int) -> tuple[NDArray[np.uint8] | None, Rows]:
        """The whole file and the codes in it."""
        return codes.map_codes(path, rows, self.quantizer.dim)

    def decode(self, rows: Rows) -> FloatArray:
        """Integers."""
        return codes.decode(rows)

    def dot(self, rows: Rows, queries: FloatArray, chosen: IntArray | None = None) -> FloatArray:
        """Exact."""
        return codes.dot(rows, queries, chosen)


@dataclass(frozen=True, slots=True)
class Floats:
    """Components as they are, or rounded to half precision. kind: "<f4" or "<f2"."""

    dim: int
    kind: str
    suffix: str = "vectors.npy"

    def encode(self, vectors: FloatArray) -> Rows:
        """The vectors themselves."""
        _check_finite(vectors)
        return vectors.astype(self.kind)

    def encode_queries(self, vectors: FloatArray) -> tuple[FloatArray, NDArray[np.float64]]:
        """Themselves; a product is a cosine already."""
        return vectors, np.any(vectors != 0, axis=1).astype(np.float64)

    def header(self, rows: int) -> bytes:
        """NumPy's."""
        return npy_header(self.kind, (rows, self.dim))

    def map(self, path: Path, rows: int) -> tuple[NDArray[np.uint8] | None, Rows]:
        """The vectors."""
        return None, map_rows(path, np.dtype(self.kind), (rows, self.dim))

    def decode(self, rows: Rows) -> FloatArray:
        """Single precision."""
        return rows.astype(np.float32)

    def dot(self, rows: Rows, queries: FloatArray, chosen: IntArray | None = None) -> FloatArray:
        """In single precision, block by block."""
        return blockwise(self, rows, queries, chosen, 4 * self.dim)


@dataclass(frozen=True, slots=True)
class Signs:
    """The components' signs, eight a byte, the first in the highest bit; zero counts as positive."""

    dim: int
    suffix: str = "signs.npy"

    def encode(self, vectors: FloatArray) -> Rows:
        """Packed bits, uint8 (n, ceil(dim / 8))."""
        _check_finite(vectors)
        return np.packbits(vectors >= 0, axis=1)

    def encode_queries(self, vectors: FloatArray) -> tuple[FloatArray, NDArray[np.float64]]:
        """Themselves; the factor makes a passage's row of signs a vector of length 1."""
        return vectors, np.any(vectors != 0, axis=1) / math.sqrt(self.dim)

    def header(self, rows: int) -> bytes:
        """NumPy's."""
        return npy_header("|u1", (rows, -(-self.dim // 8)))

    def map(self, path: Path, rows: int) -> tuple[NDArray[np.uint8] | None, Rows]:
        """The bits."""
        return None, map_rows(path, np.dtype(np.uint8), (rows, -(-self.dim // 8)))

    def decode(self, rows: Rows) -> FloatArray:
        """1 and -1."""
        return np.unpackbits(rows, axis=1, count=self.dim).astype(np.float32) * 2 - 1

    def dot(self, rows: Rows, queries: FloatArray, chosen: IntArray | None = None) -> FloatArray:
        """Block by block."""
        return blockwise(self, rows, queries, chosen, 4 * self.dim)


def stored_as(state: Mapping[str, Any]) -> Stored | None:
    """How the vectors of an index are kept, by the dense retriever's state; None while it has none."""
    dim, kind = state.get("dim", 0), state.get("codes", "int8")
    if not dim:
        return None
    if kind == "int8":
        return Int8(codes.Quantizer(dim, state["clip"]))
    if kind in ("fp32", "fp16"):
        return Floats(dim, "<f4" if kind == "fp32" else "<f2")
    if kind == "binary":
        return Signs(dim)
    raise IndexDamaged(f"vectors are kept as '{kind}', which is none of {', '.join(KINDS)}: upgrade xsearch")


def blockwise(stored: Stored, rows: Rows, queries: FloatArray, chosen: IntArray | None, width: int) -> FloatArray:
    """`Stored.dot` over blocks that stay in a core's cache. width: bytes of a decoded row."""
    count = len(rows) if chosen is None else len(chosen)
    products = np.empty((count, len(queries)), dtype=np.float32)
    step = max(1, codes.BLOCK_BYTES // width)
    columns = np.ascontiguousarray(queries.T)
    for start in range(0, count, step):
        part = rows[start : start + step] if chosen is None else rows[chosen[start : start + step]]
        np.matmul(stored.decode(part), columns, out=products[start : start + len(part)])
    return products


def npy_header(kind: str, shape: tuple[int, int]) -> bytes:
    """The head of a file in NumPy's format 1.0."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def map_rows(path: Path, kind: np.dtype[Any], shape: tuple[int, int]) -> Rows:
    """Map an array. Raises `IndexDamaged` when it is missing or of another type or shape."""
    try:
        rows: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    if rows.dtype != kind or rows.shape != shape:
        raise IndexDamaged(f"{path} does not hold {shape[0]} vectors: run `xsearch check --repair`")
    return np.asarray(rows)


def _check_finite(vectors: FloatArray) -> None:
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds a number that is not finite")
