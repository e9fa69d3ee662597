"""`viterbi.Lattice.segment` as loops compiled by numba: the same sums in the same order, so the same pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.encode.viterbi import CHARACTER_BITS, NO_PIECE, NONE, SPREAD

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)


@_compiled
def segment(
    codes: Array, lengths: Array, children: Any, piece_of: Array, scores: Array, numbers: Array, pieces: Array
) -> Array:
    """Fill `pieces`, int64 (as many as characters), with the pieces of all words, one word after the other, and return
    how many each has, int64 (words,). codes: uint32, the characters of the words end to end, `lengths` of each word.
    children: keys, numbers and shift of the table of the trie's edges. scores: of each piece, what no piece is last.
    numbers: what each piece is called."""
    keys, nodes, shift = children
    mask, unknown = len(keys) - 1, len(scores) - 1
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
            node: Any = np.int64(0)
            for end in range(begin + 1, size + 1):
                key = (np.uint64(node) << CHARACTER_BITS) | np.uint64(codes[first + end - 1])
                slot = np.int64((key * SPREAD) >> shift)
                while keys[slot] != key and keys[slot] != NONE:
                    slot = (slot + 1) & mask
                inside = keys[slot] == key
                piece: Any = NO_PIECE
                if inside:
                    node = nodes[slot] + 1
                    piece = piece_of[node]
                if piece == NO_PIECE and end == begin + 1:
                    piece = unknown
                if piece != NO_PIECE and best[begin] + scores[piece] > best[end]:
                    best[end], piece_at[end], begin_of[end] = best[begin] + scores[piece], piece, begin
                if not inside:
                    break
        end = size
        while end > 0:
            pieces[filled + counts[word]] = numbers[piece_at[end]]
            counts[word] += 1
            end = begin_of[end]
        pieces[filled : filled + counts[word]] = pieces[filled : filled + counts[word]][::-1].copy()
        filled += counts[word]
        first += size
    return counts
