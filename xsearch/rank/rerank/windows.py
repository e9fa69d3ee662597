"""Query and passage in the tokens a model reads at once: long passages in windows, nothing dropped unsaid."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.encode.neural.tokens import cut
from xsearch.rank.rerank.forward import Tokens

Encode = Callable[[str, list[str]], list[Tokens]]
"""A query with each of some passages → sequences as the model reads them, as long as they come."""
QUERIES_CUT = "queries cut short"
TEXTS_CUT = "texts cut short"


@dataclass(frozen=True)
class Fitted:
    """sequences: of passages with the query, none above the limit. owners: int64 (len(sequences),), ascending, the
    passage of each; every passage has one at least."""

    sequences: list[Tokens]
    owners: IntArray

    def best(self, scores: FloatArray) -> FloatArray:
        """MaxP: the greatest score of each passage's windows, float32 (passages,)."""
        starts = np.flatnonzero(np.diff(self.owners, prepend=-1))
        made: FloatArray = np.maximum.reduceat(scores, starts) if len(scores) else scores
        return made


def fit(query: str, passages: Sequence[str], encode: Encode, limit: int, counts: Counter[str]) -> Fitted:
    """Sequences of at most `limit` tokens. A passage too long for one is cut at white space into windows of about equal
    size. A query that would take more than half of the room is cut short; `counts` tells how often that was."""
    bare = len(encode("", [""])[0].ids)
    room = max(2, limit - bare)
    asked = shortened(query, lambda text: len(encode(text, [""])[0].ids) - bare, room // 2)
    if asked != query:
        counts[QUERIES_CUT] += 1
    shared = len(encode(asked, [""])[0].ids)
    done: list[Tokens] = []
    owners: list[int] = []
    for row, (text, tokens) in enumerate(zip(passages, encode(asked, list(passages)), strict=True)):
        windows = [tokens] if len(tokens.ids) <= limit else _windows(asked, text, tokens, encode, limit, shared)
        for window in windows or [tokens]:
            if len(window.ids) > limit:
                counts[TEXTS_CUT] += 1
            done.append(Tokens(window.ids[:limit], window.types[:limit]))
            owners.append(row)
    return Fitted(done, np.array(owners, dtype=np.int64))


def shortened(query: str, length: Callable[[str], int], most: int) -> str:
    """As much of a query's beginning as has at most `most` tokens, one character at least."""
    count = 1
    while length(query) > most and len(query) > 1:
        count = max(2, math.ceil(length(query) / most))
        # What is left is cut again where its beginning has more tokens than its share.
        query = cut(query, count)[0] if query.strip() else ""
    return query


def _windows(query: str, text: str, tokens: Tokens, encode: Encode, limit: int, shared: int) -> list[Tokens]:
    """The windows of a passage that has too many tokens."""
    count = max(2, math.ceil((len(tokens.ids) - shared) / max(1, limit - shared)))
    parts = cut(text, count)
    windows = []
    for part, encoded in zip(parts, encode(query, parts), strict=True):
        if len(encoded.ids) <= limit or len(part) < 2:
            windows.append(encoded)
        else:
            windows += _windows(query, part, encoded, encode, limit, shared)
    return windows
