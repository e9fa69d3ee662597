"""Token bags: the texts of a batch as one array of token numbers and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bags:
    """Bag b is ``tokens[starts[b]:starts[b + 1]]``. tokens: int64 (m,). starts: int64 (bags + 1,)."""

    tokens: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Ints:
        """Tokens of every bag."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Ints:
        """The bag of every token."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def select(self, bags: Ints) -> Bags:
        """The bags with these numbers, in that order."""
        return from_spans(self.tokens, self.starts[bags], self.starts[bags + 1])

    def drop(self, rate: float, rng: np.random.Generator) -> Bags:
        """The bags without a random share `rate` of their tokens; the first token of a bag always stays."""
        keep = rng.random(len(self.tokens)) >= rate
        keep[self.starts[:-1][self.sizes > 0]] = True
        sizes = np.bincount(self.owners[keep], minlength=len(self))
        return Bags(self.tokens[keep], _starts(sizes))


def from_spans(
    tokens: NDArray[np.integer], begins: NDArray[np.int64], ends: NDArray[np.int64], per_bag: int = 1
) -> Bags:
    """A bag of every `per_bag` successive stretches ``tokens[begins[i]:ends[i]]``."""
    sizes = ends - begins
    starts = _starts(sizes)
    positions = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], sizes)
    return Bags(tokens[positions].astype(np.int64), starts[::per_bag])


def concatenate(bags: Sequence[Bags]) -> Bags:
    """The bags of several, one after another."""
    sizes = np.concatenate([b.sizes for b in bags])
    return Bags(np.concatenate([b.tokens for b in bags]), _starts(sizes))


def _starts(sizes: Ints) -> Ints:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
