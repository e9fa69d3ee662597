"""Pairs of query and passage as token numbers, and which segment each token belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xsearch.core import IntArray
from xsearch.encode.neural.tokens import cut


@dataclass(frozen=True)
class TokenPairs:
    """ids: token numbers of each pair, special ones included. types: their token types. segments: 0 for the query's
    tokens, 1 for the passage's; a special token belongs to the segment before it, the first one to the query. cut: how
    many pairs were longer than allowed."""

    ids: list[IntArray]
    types: list[IntArray]
    segments: list[IntArray]
    cut: int

    @property
    def lengths(self) -> IntArray:
        """Tokens of each pair, int64."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    def padded(self, rows: IntArray, padding: int) -> IntArray:
        """Some pairs as one int64 (4, pairs, tokens): ids, 1 for tokens and 0 for padding, types, segments; padding
        belongs to the passage."""
        grids = np.zeros((4, len(rows), int(self.lengths[rows].max())), dtype=np.int64)
        grids[0], grids[3] = padding, 1
        for place, row in enumerate(rows.tolist()):
            size = len(self.ids[row])
            grids[0, place, :size], grids[1, place, :size] = self.ids[row], 1
            grids[2, place, :size], grids[3, place, :size] = self.types[row], self.segments[row]
        return grids


class PairTokens:
    """Tokenises pairs as the tokenizer's own template has them. tokenizer: a fast one of transformers, nobody else's
    at the same time. limit: tokens of a pair; of one that has more the end of the passage is left out, and of a query
    that would take more than half of them its end."""

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self._fast, self.limit = tokenizer.backend_tokenizer, limit
        self._fast.no_truncation()
        self._fast.no_padding()

    def windows(self, queries: Sequence[str], passages: Sequence[str]) -> tuple[list[str], IntArray]:
        """Passages that fit beside their queries, and which of `passages` each is of or a part of, int64 ascending: of
        one that is too long parts that fit, cut at white space where there is some."""
        parts: list[str] = []
        counts = []
        for query, encoding, text in zip(queries, self._encoded(queries, passages), passages, strict=True):
            sources = np.array(encoding.sequence_ids)
            asked, tokens = (int((sources == source).sum()) for source in (0, 1))
            # A query of more than half the limit is cut to that later on.
            room = max(1, self.limit - (len(sources) - asked - tokens) - min(asked, max(1, self.limit // 2)))
            made = [text]
            if tokens > room and len(text) > 1:
                # A part may have more tokens than its share: such are cut again.
                halves = cut(text, max(2, math.ceil(tokens / room)))
                made = self.windows([query] * len(halves), halves)[0] or made
            parts += made
            counts.append(len(made))
        return parts, np.repeat(np.arange(len(passages)), counts)

    def tokenise(self, queries: Sequence[str], passages: Sequence[str]) -> TokenPairs:
        """The pairs of `queries[i]` and `passages[i]`."""
        found = TokenPairs([], [], [], 0)
        short = 0
        for encoding in self._encoded(queries, passages):
            sources = np.array([-1 if source is None else source for source in encoding.sequence_ids])
            keep = self._kept(sources)
            short += len(keep) < len(sources)
            found.ids.append(np.array(encoding.ids, dtype=np.int64)[keep])
            found.types.append(np.array(encoding.type_ids, dtype=np.int64)[keep])
            found.segments.append(segments(sources)[keep])
        return TokenPairs(found.ids, found.types, found.segments, short)

    def _encoded(self, queries: Sequence[str], passages: Sequence[str]) -> Any:
        return self._fast.encode_batch(list(zip(queries, passages, strict=True)))

    def _kept(self, sources: IntArray) -> IntArray:
        """Places of the tokens that are kept."""
        over = len(sources) - self.limit
        if over <= 0:
            return np.arange(len(sources))
        query, passage = np.flatnonzero(sources == 0), np.flatnonzero(sources == 1)
        longest = max(1, self.limit // 2)
        dropped = query[longest:][-over:]
        over -= len(dropped)
        if over > 0:
            dropped = np.concatenate([dropped, passage[max(0, len(passage) - over) :]])
        return np.setdiff1d(np.arange(len(sources)), dropped)


def segments(sources: IntArray) -> IntArray:
    """int64 (n,): 0 up to the passage's first token, 1 from there on. sources: each token's text, 0 or 1, -1 for
    special tokens. A pair with an empty passage is all query."""
    passage = np.flatnonzero(sources == 1)
    start = int(passage[0]) if len(passage) else len(sources)
    found: IntArray = (np.arange(len(sources)) >= start).astype(np.int64)
    return found
