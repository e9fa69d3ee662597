"""Does the answer depend on the language of the question: one report over a run in several languages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from xsearch.core import Qrels, Run, UsageError
from xsearch.evaluate.fairness import mean_rank_variance, overlap, rank_correlation, top_languages
from xsearch.evaluate.matching import language_lookup

Pairs = dict[str, float]
"""By pair of question languages, "de-fa", alphabetical."""


@dataclass(frozen=True, slots=True)
class BiasReport:
    """What changes with the question's language, means over topics.

    topics: asked in at least two languages. overlap: shared part of the first `cutoff` results (Jaccard), by pair of
    question languages; correlation: Spearman's of their ranks. mean_overlap, mean_correlation: over all pairs.
    same_language: by question language, the share of the first `cutoff` results in that language. shares: by question
    language, the share of each document language there. rank_variance: mean rank variance of the first relevant
    document, which needs judgments; None without.
    """

    topics: int
    cutoff: int
    mean_overlap: float
    mean_correlation: float
    overlap: Pairs
    correlation: Pairs
    same_language: dict[str, float]
    shares: dict[str, dict[str, float]]
    rank_variance: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain dictionaries."""
        return asdict(self)


def bias(
    run: Run,
    *,
    cutoff: int = 10,
    doc_langs: Mapping[str, str] | Callable[[str], str | None] | None = None,
    qrels: Qrels | None = None,
) -> BiasReport:
    """Compare the answers to the same questions in several languages. The run's topics read ``id@lang``, all of them
    over the same documents. doc_langs: as for `evaluate`. Raises `UsageError` when no topic comes in two languages."""
    asked = {topic: found for topic, found in _by_topic(run).items() if len(found) > 1}
    if not asked:
        raise UsageError("no topic of the run comes in two languages: its topics must read id@lang")
    shared = _mean_by_pair([overlap(found, cutoff) for found in asked.values()])
    correlated = _mean_by_pair([rank_correlation(found, cutoff) for found in asked.values()])
    language = language_lookup(doc_langs)
    languages = {row.document: language(row.document) for row in run}
    spoken = sorted({lang for found in asked.values() for lang in found})
    shares = {
        lang: top_languages([found[lang] for found in asked.values() if lang in found], languages, cutoff)
        for lang in spoken
    }
    return BiasReport(
        topics=len(asked),
        cutoff=cutoff,
        mean_overlap=fmean(shared.values()),
        mean_correlation=fmean(correlated.values()) if correlated else math.nan,
        overlap=shared,
        correlation=correlated,
        same_language={lang: shares[lang].get(lang, 0.0) for lang in spoken},
        shares=shares,
        rank_variance=None if qrels is None else _rank_variance(asked, qrels),
    )


def _by_topic(run: Run) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for name, rows in run.topics().items():
        topic, at, lang = name.rpartition("@")
        if at:
            found.setdefault(topic, {})[lang] = [row.document for row in rows]
    return found


def _mean_by_pair(topics: list[dict[tuple[str, str], float]]) -> Pairs:
    values: dict[str, list[float]] = {}
    for found in topics:
        for (a, b), value in found.items():
            if not math.isnan(value):
                values.setdefault(f"{a}-{b}", []).append(value)
    return {pair: fmean(found) for pair, found in sorted(values.items())}


def _rank_variance(asked: Mapping[str, Mapping[str, list[str]]], qrels: Qrels) -> float | None:
    """Over topics: the rank of the first relevant document in each language; one that is not found stands behind the
    longest list."""
    grades = qrels.topics()
    ranks = []
    for topic, found in asked.items():
        relevant = {document for document, grade in grades.get(topic, {}).items() if grade > 0}
        if relevant:
            beyond = 1 + max(len(ranking) for ranking in found.values())
            firsts = [
                next((i for i, document in enumerate(ranking, start=1) if document in relevant), beyond)
                for ranking in found.values()
            ]
            ranks.append(firsts)
    return mean_rank_variance(ranks) if ranks else None
