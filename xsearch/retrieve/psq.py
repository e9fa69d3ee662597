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
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Mask, Query, QueryPieces, Ranking, Translations
from xsearch.retrieve.best import Best
from xsearch.retrieve.expected import PLACE, SCALE, unchanged
from xsearch.retrieve.impact import Impact
from xsearch.retrieve.scorers import BM25Scorer, Float64Array, Groups, HMMScorer, LanguageGroups, Scorer, idf

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
        translation: of a piece x = √Σ_t p(t | q)², 1 where it has one translation, less the more uncertain they are, so
        that scores compare between languages. Where words are spelled with pieces that stand everywhere, as in
        Georgian, any passage scores.
        """
        asked = [
            lang
            for lang in self._postings.languages()
            if lang in query.translations and (langs is None or lang in langs)
        ]
        if query.pieces is None or not asked:
            return Ranking.of([], [])
        translations = [query.translations[lang] for lang in asked]
        groups = _groups(translations)
        scorer, background = self._scorer(asked, groups, query.pieces)
        looked_up = self._looked_up(asked, query, groups, translations)
        found = self._postings.likely(asked, looked_up, scorer, depth, allowed)
        best = Best.of_each(found, depth)
        return Ranking(best.passages, best.scores, background)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: how well one language is translated into another is the tables' to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have passages, sorted."""
        return self._postings.languages()

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._postings.close()

    def _looked_up(
        self, langs: Sequence[str], query: Query, groups: LanguageGroups, translations: Sequence[Translations]
    ) -> LanguageGroups:
        """The terms to look up for `groups`: those themselves, or, where they were translated into the query's language
        when they were indexed, one for each piece of the query."""
        if self._unit == 1 or query.pieces is None:
            return groups
        scaled = replace(groups, coefficients=groups.coefficients / self._unit)
        asked = {code.partition("-")[0] for code, _ in query.langs}
        place = next((i for i, code in enumerate(self._translated, start=1) if asked == {code}), 0)
        if not place:
            return scaled
        tokens = query.pieces.tokens.astype(np.int64)
        each = np.arange(len(tokens) + 1), np.full(len(tokens), 1.0 / self._unit)
        return LanguageGroups.joined(
            [
                scaled.of(row)
                if asked == {lang}
                else Groups(each[0], np.where(unchanged(known, tokens), tokens, place << PLACE | tokens), each[1])
                for row, (lang, known) in enumerate(zip(langs, translations, strict=True))
            ]
        )

    def _scorer(
        self, langs: Sequence[str], groups: LanguageGroups, pieces: QueryPieces
    ) -> tuple[Scorer, dict[str, tuple[float, float]]]:
        """How the languages' terms are scored, and the background: what each one's average passage scores, and what one
        with everything once does (`search`)."""
        sizes = np.diff(groups.starts, axis=1)
        owners = np.repeat(np.arange(sizes.size), sizes.ravel())
        passages, times = self._postings.counts(langs, groups)

        def expected(values: NDArray[np.number]) -> Float64Array:
            """Σ_t c_it · value(t) of every group i of every language, float64 (languages, groups)."""
            sums = np.bincount(owners, groups.coefficients * values, sizes.size)
            return np.asarray(sums, dtype=np.float64).reshape(sizes.shape)

        statistics = [self._postings.statistics(lang) for lang in langs]
        held, tokens = np.array([(own.passages, own.tokens) for own in statistics], dtype=np.float64).T[:, :, None]
        often = expected(times / self._unit)
        # A piece without a translation (a function word) is not asked for: it must not count as one not found.
        weights = np.where(sizes > 0, np.sqrt(pieces.weights.astype(np.float64)), 0.0)
        averages = (tokens / np.maximum(held, 1.0))[:, 0]
        scorer: Scorer
        if self._model == "hmm":
            chance = often / np.maximum(tokens, 1)
            scorer = HMMScorer(np.where(chance > 0, weights, 0.0), np.where(chance > 0, chance, 1.0))
        else:
            scorer = BM25Scorer(weights * idf(held, expected(passages)), averages)
        counts = np.stack((often / (held + EMPTY), np.sqrt(expected(groups.coefficients))), axis=1)
        scores = _scores_of(scorer, counts, averages).tolist()
        return scorer, {lang: (mean, once) for lang, (mean, once) in zip(langs, scores, strict=True)}


def _groups(translations: Sequence[Translations]) -> LanguageGroups:
    starts = np.stack([known.starts for known in translations])
    return LanguageGroups(
        starts,
        np.concatenate(([0], np.cumsum(starts[:, -1]))),
        np.concatenate([known.tokens for known in translations]).astype(np.int64),
        np.concatenate([known.probabilities for known in translations]).astype(np.float64),
    )


def _scores_of(scorer: Scorer, counts: Float64Array, averages: Float64Array) -> Float64Array:
    """What passages of average length score with `counts` of the groups, float64 (languages, 2, groups): float64
    (languages, 2)."""
    base, slope = scorer.norm
    norms = (base + slope * averages)[:, None, None]
    weights = scorer.weights[:, None]
    if scorer.curve == "saturation":
        each = weights * counts / (counts + norms)
    else:
        each = weights * np.log1p(scorer.rates[:, None] * counts / np.maximum(norms, 1.0))
    scores: Float64Array = each.sum(axis=2)
    return scores
