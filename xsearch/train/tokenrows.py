"""Rows of parallel text as token numbers, ready to be sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.subwords import Subwords
from xsearch.train.rows import Texts

CHUNK = 20_000


@dataclass(frozen=True, eq=False)
class TokenRows:
    """The columns of `Texts`, tokenised.

    tokens: int32, text after text. offsets: int64 (texts + 1,) into `tokens`. langs: int32 (texts,). starts: int64
    (rows + 1,) into texts. sources: int32 (rows,). row_of: int64 (texts,), the row of each text.
    """

    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    langs: NDArray[np.int32]
    starts: NDArray[np.int64]
    sources: NDArray[np.int32]
    row_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sources)


def tokenise_rows(texts: Texts, subwords: Subwords, on_progress: Callable[[int, int], None] | None = None) -> TokenRows:
    """Token numbers of every text, all of them: samplers cut."""
    sizes = [np.zeros(0, dtype=np.int64)]
    tokens = [np.zeros(0, dtype=np.int32)]
    for begin in range(0, len(texts.texts), CHUNK):
        bags = subwords.bags(texts.texts[begin : begin + CHUNK])
        sizes.append(np.diff(bags.starts))
        tokens.append(bags.tokens.astype(np.int32))
        if on_progress:
            on_progress(min(begin + CHUNK, len(texts.texts)), len(texts.texts))
    starts = np.asarray(texts.starts, dtype=np.int64)
    return TokenRows(
        tokens=np.concatenate(tokens),
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.concatenate(sizes))]),
        langs=np.asarray(texts.langs, dtype=np.int32),
        starts=starts,
        sources=np.asarray(texts.sources, dtype=np.int32),
        row_of=np.repeat(np.arange(len(starts) - 1), np.diff(starts)),
    )
