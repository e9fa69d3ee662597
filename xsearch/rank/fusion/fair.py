"""Fair fusion: a retriever that cannot see a passage has no vote against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xsearch.rank.fusion.calibration import Calibration, cutoffs, has_background, standard
from xsearch.rank.fusion.candidates import Candidates, Float64Array, Judged, Pool

SHARE = Calibration(midpoint=0.7, scale=0.6, blind=0.11)
"""For x that is a score by the sum of the query's inverse document frequencies: 1 for a passage of average length
that has every term once, up to k1 + 1 for one that repeats them all."""

TRANSLATED = Calibration(midpoint=0.6, scale=0.6, blind=0.11)
"""The same where terms are counted by the probability that they translate the query's: less is expected of them."""

ZSCORE = Calibration(midpoint=3.0, scale=1.75, shrinkage=50.0)
"""For x in standard deviations above what the language's passages at large get."""


@dataclass(frozen=True, slots=True)
class FairParameters:
    """What fair fusion assumes. The form was found by random search for words and vectors on half the topics of
    `ntrex-doc`, `iot-lessons` and `tldr` (mixed pool and language pairs together), and kept its lead on the other half.
    For five retrievers it was set anew on 300 wordings of each, a step at a time; the optimum is flat (any one figure
    moved by a third changes the mean of the objective's parts by less than .005). No topic of these is unseen.

    calibrations: by retriever name. other: for a retriever of another name that knows its background. listed: for
    one that does not, whose scores are put between 0 and 1 by the ends of its list. prior: evidence for a passage
    of which nobody speaks. prior_weight: the weight of that prior, as a share of all retrievers' weight.
    blind_match: how far a retriever is listened to that returned a passage although it has no support there.
    """

    calibrations: Mapping[str, Calibration] = field(
        default_factory=lambda: {
            "bm25": SHARE,
            "lucene": SHARE,
            "psq": TRANSLATED,
            "impact": SHARE,
            "names": SHARE,
            "generated": TRANSLATED,
            "dense": ZSCORE,
        }
    )
    other: Calibration = ZSCORE
    listed: Calibration = SHARE
    prior: float = 0.16
    prior_weight: float = 0.1
    blind_match: float = 0.35

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
        score(d) = base + (1 − base) · Σ_r w_r e_r g_r / (Σ_r w_r (s_r + e_r) + m)

    where, if r returned d, e_r = max(0, blind_match − s_r) and g_r is what a match is worth there (`Calibration.gain`),
    else both are 0. So where s_r = 0 an absence changes nothing and a match can only lift; the score grows with every
    retriever's, and lies between 0 and 1. A list of one retriever keeps its order within each language. Neither the
    scale of a retriever's scores matters, where its background is on the same scale, nor a common factor of the
    weights.
    """
    prior_weight = parameters.prior_weight * float(pool.weights.sum())
    evidence = np.empty(pool.scores.shape)
    support = np.empty(pool.scores.shape)
    lift = np.zeros(len(pool.passages))
    extra = np.zeros(len(pool.passages))
    for row, source in enumerate(pool.sources):
        calibration, places = parameters.calibration(source), pool.places[row]
        standards = standard(source, calibration.shrinkage)
        mean, spread = standards.T
        x = (source.ranking.scores - mean[source.langs]) / spread[source.langs]
        absent = (cutoffs(source, standards) - mean) / spread
        evidence[row] = calibration.evidence(absent)[pool.langs]
        evidence[row, places] = calibration.evidence(x)
        support[row] = source.support[pool.langs]
        blind = source.weight * np.maximum(0.0, parameters.blind_match - source.support)[source.langs]
        if blind.any():
            extra[places] += blind
            lift[places] += blind * calibration.gain(x)
    heard = pool.weights @ support + prior_weight
    spoken = pool.weights @ (support * evidence) + prior_weight * parameters.prior
    base = _ratio(spoken, heard, parameters.prior)
    scores = base + (1.0 - base) * _ratio(lift, heard + extra, 0.0)
    _silence(pool, evidence, support)
    return Judged(scores, evidence)


def _ratio(above: Float64Array, below: Float64Array, otherwise: float) -> Float64Array:
    """The quotient, and `otherwise` where there is nothing below."""
    quotient = np.full(len(below), otherwise)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


def _silence(pool: Pool, evidence: Float64Array, support: Float64Array) -> None:
    """Put NaN where a retriever neither returned a passage nor could have seen it."""
    for row, source in enumerate(pool.sources):
        if not source.support.all():
            silent = support[row] == 0
            silent[pool.places[row]] = False
            evidence[row, silent] = np.nan
