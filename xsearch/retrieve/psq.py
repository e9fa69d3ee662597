"""Probabilistic structured queries: a query's pieces found in other languages through translation probabilities.

What a passage has of a query piece q is counted before anything is made of the count (Darwish and Oard, "Probabilistic
Structured Query Methods", SIGIR 2003, equations 8 and 9), with p(t | q) over the pieces t of the passage's language:

    tf(q, d) = Σ_t p(t | q) · tf(t, d)        df(q) = Σ_t p(t | q) · df(t)

and these expected counts are then those of BM25, or of a hidden Markov model (Xu and Weischedel, TREC-9, 2000; as
PSQ-HMM, Yang et al. 2024, with the background P from the passages' language, P(q) = Σ_t p(t | q) · cf(t) / C):

    BM25  Σ_q w_q · ln(1 + (N − df + ½) / (df + ½)) · tf (k1 + 1) / (tf + k1 (1 − b + b |d| / average))
    HMM   Σ_q w_q · ln(((1 − α) tf / |d| + α P(q)) / (α P(q)))

w_q is the square root of what the encoder has learnt that the piece says. With it, between eight languages of
`ntrex-doc`, `tldr` and `iot-lessons`, BM25 had nDCG@10 .470, .359, .412 (without w .457, .349, .401; with the weight
itself .466, .347, .415) and the HMM .452, .314, .396, each pair in its own pool.

In the query's own language a piece is its own translation, which makes this monolingual BM25 over pieces.

Where passages were translated when they were indexed (`retrieve.expected`), tf is read from the index, within half a
step of its counts; df is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Mask, Query, Ranking, Translations
from xsearch.retrieve.best import Best
from xsearch.retrieve.expected import PLACE, SCALE, unchanged
from xsearch.retrieve.impact import Impact
from xsearch.retrieve.scorers import BM25Scorer, Float64Array, Groups, HMMScorer, Scorer, idf

Model = Literal["bm25", "hmm"]
EMPTY = 2
"""Passages without any of the words, counted beside a language's own: were there one passage alone, what it has would
be what all have."""


class PSQ:
    """One snapshot of the postings of pieces, or of expected counts (whose state has "langs"), asked through
    `Query.translations`; safe to search from several threads.

    Raises `IndexDamaged` when a file is missing or does not fit the state.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, model: Model = "bm25") -> None:
        self._postings = Impact(folder, state)
        self._model = model
        self._translated: tuple[str, ...] = tuple(state.get("langs", ()))
        self._unit = SCALE if "langs" in state else 1

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by score, then passage number.

        A language that `query.translations` lacks is not searched. allowed: passages that may be returned; they come
        whenever they match. The ranking's background is what the language's average passage scores, which has of each
        piece of the query what all have on average, and about what one of average length scores that has each once, in
        translation (`once`). Where words are spelled with pieces that stand everywhere, as in Georgian, any passage
        scores.
        """
        found: list[Best] = []
        background: dict[str, tuple[float, float]] = {}
        for lang in self._postings.languages():
            translations = query.translations.get(lang)
            if translations is None or query.pieces is None or (langs is not None and lang not in langs):
                continue
            weights = np.sqrt(query.pieces.weights.astype(np.float64))
            groups, scorer, usual = self._asked(lang, weights, translations)
            background[lang] = (usual, once(groups, scorer, self._average(lang)))
            looked_up = self._looked_up(lang, query, groups, translations)
            found.append(self._postings.best(lang, looked_up, scorer, depth, allowed))
        best = Best.merge(found, sum(len(part.scores) for part in found))
        return Ranking.of(best.passages, best.scores, background)

    def search_many(
        self,
        queries: Sequence[Query],
        depth: int,
        allowed: Mask | None = None,
        langs: Collection[str] | None = None,
    ) -> list[Ranking]:
        """`search` for each query."""
        return [self.search(query, depth, allowed, langs) for query in queries]

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: how well one language is translated into another is the tables' to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have passages, sorted."""
        return self._postings.languages()

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._postings.close()

    def _average(self, lang: str) -> float:
        statistics = self._postings.statistics(lang)
        return statistics.tokens / max(1, statistics.passages)

    def _looked_up(self, lang: str, query: Query, groups: Groups, translations: Translations) -> Groups:
        """The terms to look up for `groups`: those themselves, or, where they were translated into the query's language
        when they were indexed, one for each piece of the query."""
        asked = {code.partition("-")[0] for code, _ in query.langs}
        place = next((i for i, code in enumerate(self._translated, start=1) if asked == {code} != {lang}), 0)
        if place and query.pieces is not None:
            tokens = query.pieces.tokens.astype(np.int64)
            terms = np.where(unchanged(translations, tokens), tokens, place << PLACE | tokens)
            return Groups(np.arange(len(terms) + 1), terms, np.full(len(terms), 1.0 / self._unit))
        if self._unit > 1:
            return Groups(groups.starts, groups.terms, groups.coefficients / self._unit)
        return groups

    def _asked(self, lang: str, weights: Float64Array, translations: Translations) -> tuple[Groups, Scorer, float]:
        """The terms of a language, how they are scored, and what its average passage scores."""
        groups = Groups(
            translations.starts, translations.tokens.astype(np.int64), translations.probabilities.astype(np.float64)
        )
        # A piece without a translation (a function word) is not asked for: it must not count as one not found.
        weights = np.where(np.diff(groups.starts) > 0, weights, 0.0)
        passages, weighed = self._postings.counts(lang, groups.terms)
        times = weighed / self._unit
        statistics = self._postings.statistics(lang)
        scorer: Scorer
        if self._model == "hmm":
            background = expectation(groups, times) / max(1, statistics.tokens)
            known = background > 0
            scorer = HMMScorer(np.where(known, weights, 0.0), np.where(known, background, 1.0))
        else:
            scorer = BM25Scorer(weights * idf(statistics.passages, expectation(groups, passages)), self._average(lang))
        counts = expectation(groups, times) / (statistics.passages + EMPTY)
        return groups, scorer, worth(scorer, counts, self._average(lang))


def expectation(groups: Groups, counts: NDArray[np.number]) -> Float64Array:
    """Σ_t c_it · count(t) of every group i, float64 (g,)."""
    sums = np.concatenate(([0.0], np.cumsum(groups.coefficients * counts)))
    return sums[groups.starts[1:]] - sums[groups.starts[:-1]]


def once(groups: Groups, scorer: Scorer, average: float) -> float:
    """What a passage of average length scores with x = √Σ_t c_t² of every group: 1 where a piece has one translation,
    less the more uncertain they are. On that scale a language's scores compare with those of another."""
    squares = Groups(groups.starts, groups.terms, groups.coefficients**2)
    return worth(scorer, np.sqrt(expectation(squares, np.ones(len(groups.terms), dtype=np.int64))), average)


def worth(scorer: Scorer, counts: Float64Array, average: float) -> float:
    """What a passage of average length scores with `counts` of the groups, float64 (g,)."""
    base, slope = scorer.norm
    norm = base + slope * average
    if scorer.curve == "saturation":
        return float(np.sum(scorer.weights * counts / (counts + norm)))
    return float(np.sum(scorer.weights * np.log1p(scorer.rates * counts / max(norm, 1.0))))
