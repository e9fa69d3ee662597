"""What a passage scores for weighted groups of terms: dot product, BM25, the HMM of PSQ-HMM.

A group i stands for one thing asked for; each of its terms t has a coefficient c_it (for a translation, its
probability). With w(t, d) the weight of t in passage d, x_i(d) = Σ_t c_it · w(t, d) is what d has of it, and

    score(d) = Σ_i φ_i(x_i(d), |d|)

where φ_i, the scorer's, is 0 at x = 0, grows with x and does not grow with the passage's length |d|.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IntArray

Float64Array = NDArray[np.float64]
Curve = Literal["line", "saturation", "logarithm"]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Terms of group i and their coefficients: ``[starts[i]:starts[i + 1]]`` of `terms` and `coefficients`.

    starts: int64 (g + 1,). terms: int64 (m,), none twice in a group. coefficients: float64 (m,), above 0.
    """

    starts: IntArray
    terms: IntArray
    coefficients: Float64Array

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True, eq=False)
class LanguageGroups:
    """Groups of l languages, g of each. starts: int64 (l, g + 1), of each language from 0 on. begins: int64 (l + 1,),
    where each language's terms begin. terms, coefficients: as `Groups` has them, those of one language after the
    other's."""

    starts: IntArray
    begins: IntArray
    terms: IntArray
    coefficients: Float64Array

    @staticmethod
    def joined(parts: Sequence[Groups]) -> LanguageGroups:
        """The groups of languages, of one at least."""
        starts = np.stack([part.starts for part in parts])
        return LanguageGroups(
            starts,
            np.concatenate(([0], np.cumsum(starts[:, -1]))),
            np.concatenate([part.terms for part in parts]),
            np.concatenate([part.coefficients for part in parts]),
        )

    def of(self, language: int) -> Groups:
        """One language's."""
        own = slice(self.begins[language], self.begins[language + 1])
        return Groups(self.starts[language], self.terms[own], self.coefficients[own])


class Scorer(Protocol):
    """φ of every group, one of three curves of x and of n(|d|) = base + slope · |d|:

    "line" weight · x; "saturation" weight · x / (x + n); "logarithm" weight · log(1 + rate · x / n).

    That of l languages at once has arrays (l, g) where that of one has (g,), and base and slope may be (l,).
    """

    def of(self, language: int) -> Scorer:
        """That of one language."""

    @property
    def curve(self) -> Curve:
        """Which of the three."""

    @property
    def weights(self) -> Float64Array:
        """The weight of every group, float64, 0 or more: a group of weight 0 takes no part."""

    @property
    def rates(self) -> Float64Array:
        """The rate of every group, float64; 1 where the curve has none."""

    @property
    def norm(self) -> tuple[float, float | Float64Array]:
        """base and slope, neither below 0, not both 0."""

    @property
    def order(self) -> IntArray:
        """The groups in the order in which they are added up, int64: those first that can count most."""


@dataclass(frozen=True, eq=False)
class Dot:
    """φ = weight · x: with one term a group, the dot product of learned sparse retrieval."""

    weights: Float64Array
    curve: Curve = "line"

    def of(self, language: int) -> Dot:
        """That of one language."""
        return Dot(self.weights[language])

    @property
    def rates(self) -> Float64Array:
        """Ones."""
        return np.ones_like(self.weights)

    @property
    def norm(self) -> tuple[float, float]:
        """Length plays no part."""
        return 1.0, 0.0

    @property
    def order(self) -> IntArray:
        """By weight, descending."""
        return np.argsort(-self.weights, axis=-1, kind="stable")


@dataclass(frozen=True, eq=False)
class BM25Scorer:
    """φ = weight · x (k1 + 1) / (x + k1 (1 − b + b |d| / average)): Robertson and Zaragoza 2009, equation 3.15, times
    k1 + 1; `importance` is the idf times what else the group counts. average: length of the language's passages."""

    importance: Float64Array
    average: float | Float64Array
    k1: float = 1.2
    b: float = 0.75
    curve: Curve = "saturation"

    def of(self, language: int) -> BM25Scorer:
        """That of one language."""
        average = float(np.broadcast_to(self.average, len(self.importance))[language])
        return BM25Scorer(self.importance[language], average, self.k1, self.b)

    @property
    def weights(self) -> Float64Array:
        """What φ tends to as x grows."""
        return self.importance * (self.k1 + 1.0)

    @property
    def rates(self) -> Float64Array:
        """Ones."""
        return np.ones_like(self.importance)

    @property
    def norm(self) -> tuple[float, float | Float64Array]:
        """k1 (1 − b) and k1 b / average."""
        return self.k1 * (1.0 - self.b), self.k1 * self.b / np.maximum(self.average, 1e-9)

    @property
    def order(self) -> IntArray:
        """By importance, descending."""
        return np.argsort(-self.importance, axis=-1, kind="stable")


@dataclass(frozen=True, eq=False)
class HMMScorer:
    """φ = weight · log(((1 − α) x / |d| + α P_i) / (α P_i)): the hidden Markov model of Xu and Weischedel 2000, less
    what a passage without the group scores. background: P_i, above 0, of the group in text at large."""

    weights: Float64Array
    background: Float64Array
    alpha: float = 0.1
    curve: Curve = "logarithm"

    def of(self, language: int) -> HMMScorer:
        """That of one language."""
        return HMMScorer(self.weights[language], self.background[language], self.alpha)

    @property
    def rates(self) -> Float64Array:
        """(1 − α) / (α P_i)."""
        return (1.0 - self.alpha) / (self.alpha * self.background)

    @property
    def norm(self) -> tuple[float, float]:
        """n is |d| itself; a passage that holds a term has a length of at least its weight."""
        return 0.0, 1.0

    @property
    def order(self) -> IntArray:
        """By what a passage scores that is nothing but the group, descending."""
        return np.argsort(-self.weights * np.log1p(self.rates), axis=-1, kind="stable")


def idf(passages: int | Float64Array, frequencies: NDArray[np.number]) -> Float64Array:
    """ln(1 + (N − df + 0.5) / (df + 0.5)), as BM25 has it here; df may be expected ones, and is N at most."""
    df = np.minimum(frequencies.astype(np.float64), passages)
    found: Float64Array = np.log1p((passages - df + 0.5) / (df + 0.5))
    return found
