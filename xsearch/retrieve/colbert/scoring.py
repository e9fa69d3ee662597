"""MaxSim of passages whose tokens are kept as codes: the best token for every vector of a query.

    score(q, d) = Σ_i max_j q_i · v_j / |v_j|        (Khattab and Zaharia 2020, equation 3)

v_j is what the codes of token j stand for, and |v_j| is taken from |v_j|² + 2^-22, so that nothing is divided by
zero. Dot products are whole numbers (`codebook`), each then multiplied once, so
that NumPy, compiled loops and torch give the same scores to the last bit.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from xsearch.core import FloatArray, IndexDamaged, IntArray
from xsearch.core.extras import have
from xsearch.retrieve.colbert.codebook import ASKED, Codebook, integers
from xsearch.retrieve.colbert.device import OnDevice
from xsearch.retrieve.colbert.segment import Tokens

BLOCK = 4096
"""Tokens decoded at once: two megabytes of float32 in 128 dimensions."""


def ask(vectors: FloatArray) -> FloatArray:
    """A query's vectors, float32 (q, dim), as whole numbers of length 2^12; vectors that are zero or not finite are
    left out."""
    lengths = np.sqrt(np.einsum("qd,qd->q", vectors, vectors, dtype=np.float64))
    kept = vectors[np.isfinite(lengths) & (lengths > 0)]
    return integers(kept, ASKED).astype(np.float32)


def best_tokens(
    book: Codebook,
    held: Tokens,
    rows: IntArray,
    asked: FloatArray,
    compiled: ModuleType | None = None,
    device: OnDevice | None = None,
) -> FloatArray:
    """max_j q_i · v_j / |v_j| · 2^12 of passages by row, each with one token at least: float32 (rows, q).

    compiled: `compiled_loops`, used where there is no device. Raises `IndexDamaged` where a code is of a centroid that
    there is not.
    """
    if device is not None:
        try:
            return device.best_tokens(held, rows, asked)
        except IndexError as error:
            raise damaged(str(error)) from error
    if compiled is not None:
        best = np.empty((len(rows), len(asked)), dtype=np.float32)
        tables, arrays = (book.centroids, book.byte_weights), (held.starts, held.cells, held.codes)
        if not compiled.best_tokens(*tables, *arrays, rows, asked.astype(np.int16), best):
            raise damaged("a centroid that there is not")
        return best
    tokens, starts = held.of(rows)
    return _by_numpy(book, held, starts, tokens, asked)


def _by_numpy(book: Codebook, held: Tokens, starts: IntArray, tokens: IntArray, asked: FloatArray) -> FloatArray:
    similar = np.empty((len(tokens), len(asked)), dtype=np.float32)
    columns = np.ascontiguousarray(asked.T)
    for start in range(0, len(tokens), BLOCK):
        block = tokens[start : start + BLOCK]
        vectors, scales = decoded(book, held, block)
        np.matmul(vectors, columns, out=similar[start : start + len(block)])
        similar[start : start + len(block)] *= scales[:, None]
    best: FloatArray = np.maximum.reduceat(similar, starts[:-1], axis=0)
    return best


def decoded(book: Codebook, held: Tokens, tokens: IntArray) -> tuple[FloatArray, FloatArray]:
    """Vectors of tokens by number, whole numbers in float32 (n, dim), and one by the length of each, float32 (n,).

    Raises `IndexDamaged` where a code is of a centroid that there is not.
    """
    cells = held.cells[tokens] if len(held.cells) else np.zeros(len(tokens), np.int64)
    try:
        vectors = book.decode(cells, held.codes[tokens]).astype(np.float32)
    except IndexError as error:
        raise damaged(str(error)) from error
    squares = np.einsum("nd,nd->n", vectors, vectors)
    return vectors, (1.0 / np.sqrt((squares + 1.0).astype(np.float64))).astype(np.float32)


def summed(best: FloatArray) -> FloatArray:
    """Scores, float32 (n,), of what `best_tokens` found, token by token: the same for a passage in whatever company."""
    scores = np.zeros(len(best))
    for column in best.T:
        scores += column
    return (scores / ASKED).astype(np.float32)


def damaged(what: str) -> IndexDamaged:
    """The error for codes that point nowhere."""
    return IndexDamaged(f"a list of tokens is damaged ({what}): run `xsearch check --repair`")


def compiled_loops() -> ModuleType | None:
    """The module of compiled loops, None where numba is not installed (`pip install 'xsearch-clir[fast]'`)."""
    if not have("numba"):
        return None
    from xsearch.retrieve.colbert import compiled

    return compiled
