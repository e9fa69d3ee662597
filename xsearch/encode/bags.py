"""Bags of tokens, many in two arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TokenBags:
    """Tokens of texts: those of text i are ``tokens[starts[i]:starts[i + 1]]``. Both int64."""

    tokens: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, numbers: NDArray[np.int64]) -> TokenBags:
        """The bags with these numbers, in this order."""
        first = self.starts.take(numbers)
        sizes = self.starts.take(numbers + 1) - first
        starts = np.zeros(len(numbers) + 1, dtype=np.int64)
        np.cumsum(sizes, out=starts[1:])
        places = np.arange(starts[-1]) + np.repeat(first - starts[:-1], sizes)
        return TokenBags(self.tokens.take(places), starts)

    def lists(self) -> list[list[int]]:
        """The tokens of each bag."""
        tokens = self.tokens.tolist()
        return [tokens[begin:end] for begin, end in pairwise(self.starts.tolist())]

    def joined(self, counts: NDArray[np.int64]) -> TokenBags:
        """Bags made one: the first counts[0], the next counts[1], and so on."""
        return TokenBags(self.tokens, self.starts[np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))])
