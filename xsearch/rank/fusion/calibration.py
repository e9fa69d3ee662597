"""Raw scores → evidence between 0 and 1 on one scale per query and passage language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.rank.fusion.candidates import Candidates, Float64Array


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a retriever's standardised score x reads as evidence: c(x) = 1 / (1 + exp(−(x − midpoint) / scale)).

    The logistic map of a retrieval score to a probability of relevance is Nottelmann and Fuhr's ("From Retrieval
    Status Values to Probabilities of Relevance", ECIR 2003); its two parameters are learnt from judged queries.
    midpoint: the x at which a passage is as likely relevant as not. scale: how fast evidence grows, above 0.
    shrinkage: how many scores the mean of all languages counts for against a language's own (see `standard`).
    blind: the part of x that a relevant passage still reaches where the retriever has no support: of the words of
    a question, a passage in another language holds the names and numbers.
    """

    midpoint: float
    scale: float
    shrinkage: float = 0.0
    blind: float = 1.0

    def evidence(self, standardised: Float64Array) -> Float64Array:
        """c(x), of the same shape; NaN stays NaN. Strictly increasing up to the resolution of floats."""
        exponent = np.clip((self.midpoint - standardised) / self.scale, -700.0, 700.0)
        evidence: Float64Array = 1.0 / (1.0 + np.exp(exponent))
        return evidence

    def gain(self, standardised: Float64Array) -> Float64Array:
        """What a match is worth where the retriever is blind: 0 at x = 0, which is no match, towards 1; never less
        than 0. (c(x / blind) − c(0)) / (1 − c(0))."""
        nothing = self.evidence(np.zeros(1))
        return np.maximum(0.0, (self.evidence(standardised / self.blind) - nothing) / (1.0 - nothing))


def has_background(source: Candidates) -> bool:
    """Whether the retriever knows a mean and a spread of its scores for any language."""
    return bool(_known(source.background).any())


def standard(source: Candidates, shrinkage: float) -> Float64Array:
    """The mean and the spread that standardise a retriever's scores, by language: x = (s − mean) / spread.

    Shape (languages, 2), finite, every spread above 0. A language's own figures μ, σ², resting on n scores, are
    pulled towards the mean of all languages by κ = `shrinkage` scores' worth, as n is small or κ large:
    μ' = (n μ + κ μ̄) / (n + κ), σ'² = (n σ² + κ σ̄²) / (n + κ), with μ̄, σ̄² weighted by n. A language without
    figures gets μ̄, σ̄. A retriever that has none at all is put between the ends of its own list (min-max).
    """
    background = source.background.astype(np.float64)
    known = _known(background)
    if not known.any():
        return _ends_of_list(source)
    mean = np.where(known, background[:, 0], 0.0)
    variance = np.where(known, background[:, 1], 0.0) ** 2
    if source.sizes is None:
        counts = np.where(known, 1.0, 0.0)
        shrinkage = 0.0
    else:
        counts = np.where(known, np.maximum(source.sizes, 1), 0).astype(np.float64)
    share = counts / counts.sum()
    pull = np.where(known, shrinkage, 1.0)
    total = counts + pull
    shrunk_mean = (counts * mean + pull * (share @ mean)) / total
    shrunk_variance = (counts * variance + pull * (share @ variance)) / total
    return np.stack([shrunk_mean, np.sqrt(shrunk_variance)], axis=1)


def cutoffs(source: Candidates, standards: Float64Array) -> Float64Array:
    """The raw score that a passage absent from the list can have had at most, by language. Shape (languages,).

    Where the list was cut (as long as the depth asked for, or of unknown depth), the lowest score that was
    returned. Where it is complete, what it lacks matched nothing: the language's mean, and no more than the lowest.
    """
    languages = len(standards)
    found = np.bincount(source.langs, minlength=languages)
    last = np.zeros(languages, dtype=np.int64)
    last[source.langs] = np.arange(len(source.ranking))  # best first: the last write is the lowest score
    lowest = np.full(languages, np.inf)
    present = found > 0
    lowest[present] = source.ranking.scores[last[present]]
    cut = found >= max(source.depth, 1)
    return np.where(cut, lowest, np.minimum(lowest, standards[:, 0]))


def _known(background: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(background).all(axis=1) & (background[:, 1] > 0)
    return known


def _ends_of_list(source: Candidates) -> Float64Array:
    scores = source.ranking.scores.astype(np.float64)
    low, high = (scores.min(), scores.max()) if len(scores) else (0.0, 1.0)
    if high == low:
        low -= 1.0
    return np.tile([low, high - low], (len(source.support), 1))
