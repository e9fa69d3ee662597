"""Fair fusion: a retriever that cannot see a passage has no vote against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xsearch.rank.fusion.calibration import Calibration, cutoffs, has_background, standard
from xsearch.rank.fusion.candidates import Candidates, Float64Array, Judged, Pool

SHARE = Calibration(midpoint=0.5, scale=0.15)
"""For x that is about the share of the query's information a passage matches, 0 to 1 and somewhat above."""

ZSCORE = Calibration(midpoint=4.0, scale=1.0, shrinkage=30.0)
"""For x in standard deviations above what the language's passages at large get."""


@dataclass(frozen=True, slots=True)
class FairParameters:
    """What fair fusion assumes; every figure is meant to be learnt from judged queries.

    calibrations: by retriever name. other: for a retriever of another name that knows its background. listed: for
    one that does not, whose scores are put between 0 and 1 by the ends of its list. prior: evidence for a passage
    of which nobody speaks. prior_weight: the weight of that prior, as a share of all retrievers' weight.
    blind_match: how far a retriever is listened to that returned a passage although it has no support there.
    """

    calibrations: Mapping[str, Calibration] = field(
        default_factory=lambda: {"bm25": SHARE, "lucene": SHARE, "psq": SHARE, "impact": SHARE, "dense": ZSCORE}
    )
    other: Calibration = ZSCORE
    listed: Calibration = SHARE
    prior: float = 0.1
    prior_weight: float = 0.1
    blind_match: float = 0.5

    def calibration(self, source: Candidates) -> Calibration:
        """The calibration of a retriever's standardised scores."""
        if not has_background(source):
            return self.listed
        return self.calibrations.get(source.name, self.other)


DEFAULTS = FairParameters()


def fair(pool: Pool, parameters: FairParameters = DEFAULTS) -> Judged:
    """The weighted mean of calibrated scores over the retrievers that can see the passage, shrunk to a prior.

    With weight w_r, support s_r of the passage's language, evidence c_r (`Calibration`, per query and language; an
    absent passage has its list's cut-off), prior π and its weight m = prior_weight · Σ_r w_r:

        base(d)  = (Σ_r w_r s_r c_r + m π) / (Σ_r w_r s_r + m)
        score(d) = base + Σ_r w_r e_r max(0, c_r − base) / (Σ_r w_r (s_r + e_r) + m)

    where e_r = max(0, blind_match − s_r) if r returned d, else 0. So where s_r = 0 an absence changes nothing and a
    match can only lift; the score grows with every c_r, and lies between 0 and 1. A list of one retriever keeps its
    order within each language. Neither the scale of a retriever's scores matters, where its background is on the
    same scale, nor a common factor of the weights.
    """
    prior_weight = parameters.prior_weight * float(pool.weights.sum())
    evidence = np.stack([_evidence(pool, row, parameters) for row in range(len(pool.sources))])
    support = np.stack([source.support.astype(np.float64)[pool.langs] for source in pool.sources])
    heard = pool.weights @ support + prior_weight
    spoken = pool.weights @ (support * evidence) + prior_weight * parameters.prior
    base = np.divide(spoken, heard, out=np.full(len(heard), parameters.prior), where=heard > 0)
    scores = base + _lift(pool, evidence, base, heard, parameters.blind_match)
    _silence(pool, evidence, support)
    return Judged(scores, evidence)


def _evidence(pool: Pool, row: int, parameters: FairParameters) -> Float64Array:
    """One retriever's evidence for every passage of the pool, the cut-off's where it did not return it."""
    source = pool.sources[row]
    calibration = parameters.calibration(source)
    standards = standard(source, calibration.shrinkage)
    mean, spread = standards.T
    absent = calibration.evidence((cutoffs(source, standards) - mean) / spread)
    evidence = absent[pool.langs]
    own = source.langs
    evidence[pool.places[row]] = calibration.evidence((source.ranking.scores - mean[own]) / spread[own])
    return evidence


def _lift(
    pool: Pool, evidence: Float64Array, base: Float64Array, heard: Float64Array, blind_match: float
) -> Float64Array:
    """What matches by retrievers of little or no support add to `base`; never below 0."""
    lift, room = np.zeros(len(base)), heard.copy()
    for row, source in enumerate(pool.sources):
        extra = pool.weights[row] * np.maximum(0.0, blind_match - source.support.astype(np.float64))
        if not extra[source.langs].any():
            continue
        places = pool.places[row]
        lift[places] += extra[source.langs] * np.maximum(0.0, evidence[row, places] - base[places])
        room[places] += extra[source.langs]
    return np.divide(lift, room, out=np.zeros(len(room)), where=room > 0)


def _silence(pool: Pool, evidence: Float64Array, support: Float64Array) -> None:
    """Put NaN where a retriever neither returned a passage nor could have seen it."""
    for row, source in enumerate(pool.sources):
        if not source.support.all():
            silent = support[row] == 0
            silent[pool.places[row]] = False
            evidence[row, silent] = np.nan
