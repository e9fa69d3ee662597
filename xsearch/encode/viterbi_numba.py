"""`viterbi.Lattice.segment` as loops compiled by numba: the same sums in the same order, so the same pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.encode.viterbi import NO_PIECE

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)


@_compiled
def segment(
    codes: Array, lengths: Array, nodes: Array, initials: Array, scores: Array, numbers: Array, pieces: Array
) -> Array:
    """Fill `pieces`, int64 (as many as characters), with the pieces of all words, one word after the other, and return
    how many each has, int64 (words,). codes: uint32, the characters of the words end to end, `lengths` of each word.
    nodes, initials: the trie (`Lattice.nodes`, `Lattice.initials`). scores: of each piece, what no piece is last.
    numbers: what each piece is called."""
    unknown = len(scores) - 1
    most = lengths.max() if len(lengths) else 0
    best = np.empty(most + 1, dtype=np.float64)
    piece_at = np.empty(most + 1, dtype=np.int64)
    begin_of = np.empty(most + 1, dtype=np.int64)
    counts = np.zeros(len(lengths), dtype=np.int64)
    first = filled = 0
    for word in range(len(lengths)):
        size = lengths[word]
        best[0] = 0.0
        best[1 : size + 1] = -np.inf
        for begin in range(size):
            code, end = codes[first + begin], begin + 1
            node: Any = initials[code] if code < len(initials) else 0
            piece: Any = nodes[node, 2]
            if piece == NO_PIECE:
                piece = unknown
            while True:
                if piece != NO_PIECE and best[begin] + scores[piece] > best[end]:
                    best[end], piece_at[end], begin_of[end] = best[begin] + scores[piece], piece, begin
                if node == 0 or end == size:
                    break
                node = _child(nodes, node, codes[first + end])
                piece = nodes[node, 2]
                end += 1
        end = size
        while end > 0:
            pieces[filled + counts[word]] = numbers[piece_at[end]]
            counts[word] += 1
            end = begin_of[end]
        pieces[filled : filled + counts[word]] = pieces[filled : filled + counts[word]][::-1].copy()
        filled += counts[word]
        first += size
    return counts


@_compiled
def _child(nodes: Array, node: Any, code: Any) -> Any:
    """The child that a character leads to, 0, the root, for none; the root has no piece."""
    low, last = nodes[node, 1], nodes[node + 1, 1]
    high = last
    while low < high:
        middle = (low + high) >> 1
        if nodes[middle, 0] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < last and nodes[low, 0] == code else 0
