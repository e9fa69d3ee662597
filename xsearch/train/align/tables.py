"""What alignment learns: probabilities of pieces given a piece, either way, and of pieces that have no partner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray
from xsearch.train.align.pairs import Corpus

Floats = NDArray[np.float64]


@dataclass(eq=False)
class Direction:
    """p(target piece | source piece) for the pairs of a corpus.

    given: int32 (pairs,), the source piece of each, local. probabilities: float32 (pairs,); pair 0 (padding) has 0.
    null: float32 (target pieces,), p(piece | nothing): what stands for no piece of the source.
    """

    given: NDArray[np.int32]
    probabilities: FloatArray
    null: FloatArray

    @staticmethod
    def uniform(given: NDArray[np.int32], targets: int) -> Direction:
        """All pieces that ever meet a piece are equally likely."""
        probabilities = (1 / np.bincount(given)[given]).astype(np.float32)
        probabilities[0] = 0
        null = np.full(targets, 1 / targets, dtype=np.float32)
        null[0] = 0
        return Direction(given, probabilities, null)

    def maximise(self, counts: Floats, null_counts: Floats, prior: float) -> None:
        """Fit to expected counts (pairs,) and (target pieces,).

        With prior = 0 the likelihood is maximised, p = c / Σ c. Otherwise the mean field of a symmetric Dirichlet
        prior, p = exp ψ(c + prior) / exp ψ(Σ (c + prior)) (Riley and Gildea 2012, section 3): counts below one shrink
        most, so that a rare piece does not collect the words it happens to stand beside.
        """
        if prior > 0:
            sums = np.bincount(self.given, weights=counts + prior).astype(np.float64)
            self.probabilities = np.exp(digamma(counts + prior) - digamma(sums)[self.given]).astype(np.float32)
        else:
            sums = np.bincount(self.given, weights=counts).astype(np.float64)
            self.probabilities = np.divide(
                counts, sums[self.given], out=np.zeros(len(counts)), where=sums[self.given] > 0
            ).astype(np.float32)
        self.probabilities[0] = 0
        self.null = (null_counts / max(null_counts.sum(), 1e-9)).astype(np.float32)


@dataclass(eq=False)
class Model:
    """Both directions. `right`: p(right piece | left piece); `left`: p(left piece | right piece)."""

    right: Direction
    left: Direction

    @staticmethod
    def uniform(corpus: Corpus) -> Model:
        """Where learning begins."""
        return Model(
            Direction.uniform(corpus.pair_left, len(corpus.right_pieces)),
            Direction.uniform(corpus.pair_right, len(corpus.left_pieces)),
        )


def digamma(x: Floats) -> Floats:
    """ψ(x) for x > 0 (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18), to about 1e-6."""
    below = np.zeros_like(x)
    for _ in range(4):
        below += 1 / x
        x = x + 1
    square = 1 / (x * x)
    series: Floats = np.log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square / 252)) - below
    return series
