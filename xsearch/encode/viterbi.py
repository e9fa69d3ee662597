"""The most probable segmentation of many words at once: Viterbi's algorithm, all words in step.

Words are laid end to end. From every place the trie of pieces is descended, a character a round, by all places that
are still in it; each piece met is an edge from where it begins to where it ends. Edges are then followed by how far
into its word each begins: two that begin equally far end in different places, so a round is a few array operations.
With numba (`viterbi_numba`) each word is gone through by itself, in loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from xsearch.core.extras import have
from xsearch.encode.bags import TokenBags
from xsearch.encode.keys import Integers, Keys, KeyTable

CHARACTER_BITS = np.uint64(21)
NO_PIECE = -1


class Lattice:
    """All segmentations of words into pieces, and the best of them.

    pieces: spellings; where one stands twice, the last counts. scores: float64 (n,), log probability of each. unknown:
    what a character that no piece is alone costs, and `unknown_piece` the piece it becomes.
    """

    def __init__(self, pieces: Sequence[str], scores: NDArray[np.float64], unknown: float, unknown_piece: int) -> None:
        self._scores = np.append(scores, unknown)
        self._piece_numbers = np.append(np.arange(len(pieces)), unknown_piece)
        self._unknown_edge = len(pieces)
        codes, lengths = _codes(pieces)
        starts = np.cumsum(lengths) - lengths
        at = np.zeros(len(pieces), dtype=np.int64)
        inside = np.flatnonzero(lengths > 0)
        keys: list[Keys] = []
        ends: list[tuple[Integers, Integers]] = []
        made = 0
        depth = 0
        while len(inside):
            wanted = _keys(at[inside], codes[starts[inside] + depth])
            new, place = np.unique(wanted, return_inverse=True)
            keys.append(new)
            # Node 0 is the root.
            at[inside] = place + made + 1
            made += len(new)
            depth += 1
            over = lengths[inside] == depth
            ends.append((at[inside[over]], inside[over]))
            inside = inside[~over]
        # Way i, from a node by a character, leads to node i + 1.
        self._ways = np.concatenate([np.empty(0, np.uint64), *keys])
        self._piece_of = np.full(made + 1, NO_PIECE, dtype=np.int32)
        for nodes, numbers in ends:
            self._piece_of[nodes] = numbers

    @cached_property
    def _children(self) -> KeyTable:
        """The ways, by key: number i leads to node i + 1."""
        return KeyTable(self._ways)

    @cached_property
    def nodes(self) -> NDArray[np.int32]:
        """The trie for compiled loops, int32 (n + 1, 4): of each node, the root being 0, and of one behind the last,
        the character that leads to it, where its children begin, its piece, and nothing. Nodes are numbered by depth,
        then parent, then character: children stand side by side, ascending, and those of the next node follow."""
        nodes = np.full((len(self._piece_of) + 1, 4), NO_PIECE, dtype=np.int32)
        nodes[1:-1, 0] = self._ways & ((np.uint64(1) << CHARACTER_BITS) - np.uint64(1))
        nodes[:, 1] = 1 + np.searchsorted(self._ways >> CHARACTER_BITS, np.arange(len(nodes), dtype=np.uint64))
        nodes[:-1, 2] = self._piece_of
        return nodes

    @cached_property
    def initials(self) -> NDArray[np.int32]:
        """By character, the child of the root that it leads to, 0 for none: its children are thousands."""
        children = np.arange(1, int(self.nodes[1, 1]), dtype=np.int32)
        characters = self.nodes[children, 0]
        initials = np.zeros(int(characters.max(initial=0)) + 1, dtype=np.int32)
        initials[characters] = children
        return initials

    def segment(self, words: Sequence[str]) -> TokenBags:
        """The pieces of the best segmentation of every word; none of a word is empty."""
        return self.segment_codes(*_codes(words))

    def segment_codes(self, codes: NDArray[np.uint32], lengths: Integers) -> TokenBags:
        """The same of words laid end to end, as code points, and the length of each."""
        if not len(lengths):
            return TokenBags(np.empty(0, np.int64), np.zeros(1, np.int64))
        if loops := compiled():
            pieces = np.empty(len(codes), dtype=np.int64)
            counts = loops.segment(codes, lengths, self.nodes, self.initials, self._scores, self._piece_numbers, pieces)
            starts = np.concatenate(([0], np.cumsum(counts)))
            return TokenBags(pieces[: starts[-1]].copy(), starts)
        first = np.cumsum(lengths) - lengths
        begins, sizes, edges = self._edges(codes, np.repeat(first + lengths, lengths))
        return best_way(begins, sizes, self._piece_numbers[edges], self._scores[edges], lengths)

    def _edges(self, codes: NDArray[np.uint32], limits: Integers) -> tuple[Integers, Integers, Integers]:
        """(begin, size, edge piece) of every piece in the text, and of every character that no piece is alone."""
        places = np.arange(len(codes))
        nodes = np.zeros(len(codes), dtype=np.int64)
        found = []
        size = 0
        while len(places):
            nodes = self._children.find(_keys(nodes, codes[places + size])) + 1
            size += 1
            pieces = self._piece_of[nodes]
            if size == 1:
                pieces = np.where((nodes == 0) | (pieces == NO_PIECE), self._unknown_edge, pieces)
            ending = pieces != NO_PIECE
            found.append((places[ending], np.full(np.count_nonzero(ending), size), pieces[ending]))
            going_on = (nodes > 0) & (places + size < limits[places])
            places, nodes = places[going_on], nodes[going_on]
        begins, sizes, edges = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return begins, sizes, edges


@cache
def compiled() -> ModuleType | None:
    """The module of compiled loops, None where numba is not installed (`pip install 'xsearch-clir[fast]'`)."""
    if not have("numba"):
        return None
    from xsearch.encode import viterbi_numba

    return viterbi_numba


def best_way(
    begins: Integers, sizes: Integers, pieces: Integers, scores: NDArray[np.float64], lengths: Integers
) -> TokenBags:
    """The edges that lead through each word with the greatest sum of scores, in order; of equal sums, the way whose
    last edge begins first.

    begins, sizes, pieces: int64 (edges,), where each begins in all words laid end to end, how far it leads, and what it
    is; some way leads through each word. scores: float64 (edges,). lengths: of the words.
    """
    first = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    offset = begins - np.repeat(first, lengths)[begins]
    order = np.argsort(offset, kind="stable")
    rounds = np.searchsorted(offset[order], np.arange(int(lengths.max(initial=0)) + 1))
    # best[p] belongs to the way that ends before place p of the text; a word's first place is its beginning.
    best = np.full(total, -np.inf)
    piece_at = np.zeros(total, dtype=np.int64)
    size_at = np.ones(total, dtype=np.int64)
    for low, high in zip(rounds[:-1].tolist(), rounds[1:].tolist(), strict=True):
        edges = order[low:high]
        begin, size, piece = begins[edges], sizes[edges], pieces[edges]
        before = best[begin - 1] if low else 0.0
        last = begin + size - 1
        score = before + scores[edges]
        better = score > best[last]
        last = last[better]
        best[last], piece_at[last], size_at[last] = score[better], piece[better], size[better]
    return _traced(piece_at, size_at, first, lengths)


def _traced(piece_at: Integers, size_at: Integers, first: Integers, lengths: Integers) -> TokenBags:
    """The pieces on the way to the end of every word, in order."""
    chosen = np.zeros(len(piece_at), dtype=np.bool_)
    last = first + lengths - 1
    begin = first
    while len(last):
        chosen[last] = True
        last = last - size_at[last]
        inside = last >= begin
        last, begin = last[inside], begin[inside]
    counted = np.concatenate(([0], np.cumsum(chosen)))
    return TokenBags(piece_at[chosen], counted[np.append(first, len(piece_at))])


def _codes(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Integers]:
    """The code points of texts laid end to end, and the length of each."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4"), lengths


def _keys(nodes: Integers, codes: NDArray[np.uint32]) -> Keys:
    return (nodes.astype(np.uint64) << CHARACTER_BITS) | codes
