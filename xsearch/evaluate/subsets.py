"""Parts of topics, qrels and runs, and several runs as one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from xsearch.core import Qrels, Ranking, Run, ScoredDoc, Topic, UsageError
from xsearch.evaluate.matching import language_lookup
from xsearch.rank.fusion import Candidates, fuse

METHODS = ("rrf", "zscore", "minmax", "roundrobin")
"""Fusions that need to know nothing of the documents."""


def subset_topics(
    topics: Sequence[Topic], *, ids: Collection[str] | None = None, langs: Collection[str] | None = None
) -> list[Topic]:
    """The topics with one of `ids`, in one of `langs`; None keeps all."""
    return [t for t in topics if (ids is None or t.id in ids) and (langs is None or t.lang in langs)]


def subset_qrels(
    qrels: Qrels,
    *,
    topics: Collection[str] | None = None,
    doc_langs: Collection[str] | None = None,
    language: Mapping[str, str] | Callable[[str], str | None] | None = None,
    least_grade: int | None = None,
) -> Qrels:
    """The judgments of `topics`, of documents in `doc_langs` (see `evaluate` for how a language is known), with a
    grade of at least `least_grade`; None keeps all."""
    lang_of = language_lookup(language)
    return Qrels(
        tuple(
            row
            for row in qrels
            if (topics is None or row.topic in topics)
            and (least_grade is None or row.grade >= least_grade)
            and (doc_langs is None or lang_of(row.document) in doc_langs)
        )
    )


def subset_run(
    run: Run,
    *,
    topics: Collection[str] | None = None,
    doc_langs: Collection[str] | None = None,
    language: Mapping[str, str] | Callable[[str], str | None] | None = None,
    depth: int | None = None,
) -> Run:
    """The rows of `topics` (as the run writes them, or without their ``@lang``) and of documents in `doc_langs`, then
    the first `depth` of each topic; None keeps all."""
    lang_of = language_lookup(language)
    kept: list[ScoredDoc] = []
    for topic, rows in run.topics().items():
        if topics is None or topic in topics or topic.rpartition("@")[0] in topics:
            kept += [row for row in rows if doc_langs is None or lang_of(row.document) in doc_langs][:depth]
    return Run(run.tag, tuple(kept))


def condensed_run(run: Run, qrels: Qrels) -> Run:
    """The run without what is not judged: condensed lists (Sakai, SIGIR 2007), which rank candidates. ``id@lang`` is a
    wording of `id`."""
    judged = qrels.topics()
    kept = []
    for row in run:
        grades = judged.get(row.topic) or judged.get(row.topic.rpartition("@")[0], {})
        if row.document in grades:
            kept.append(row)
    return Run(run.tag, tuple(kept))


def fuse_runs(
    runs: Sequence[Run],
    method: str = "rrf",
    *,
    weights: Sequence[float] | None = None,
    depth: int | None = None,
    tag: str = "fused",
) -> Run:
    """One run of several, fused topic by topic by a method of `METHODS` as `xsearch.rank.fusion` defines them.

    A run that lacks a topic has no say there. weights: one a run. Raises `UsageError` for another method, no run, or
    weights that do not fit.
    """
    if method not in METHODS:
        raise UsageError(f"unknown fusion of runs '{method}': known are {', '.join(METHODS)}")
    weights = [1.0] * len(runs) if weights is None else list(weights)
    if not runs or len(weights) != len(runs):
        raise UsageError(f"{len(runs)} runs and {len(weights)} weights: give at least one run, and a weight for each")
    lists = [run.topics() for run in runs]
    rows: list[ScoredDoc] = []
    for topic in dict.fromkeys(topic for found in lists for topic in found):
        rankings = [(found[topic], weight) for found, weight in zip(lists, weights, strict=True) if topic in found]
        rows += _fuse_topic(topic, rankings, method, depth)
    return Run.of(rows, tag)


def _fuse_topic(
    topic: str, rankings: Sequence[tuple[list[ScoredDoc], float]], method: str, depth: int | None
) -> list[ScoredDoc]:
    # Equal scores stand by ascending number in a fusion and by descending id in a run.
    names = sorted({row.document for rows, _ in rankings for row in rows}, reverse=True)
    numbers = {name: number for number, name in enumerate(names)}
    nothing = np.full((1, 2), np.nan, dtype=np.float32)
    candidates = [
        Candidates(
            name=f"{place:04d}",
            ranking=Ranking(
                np.array([numbers[row.document] for row in rows], dtype=np.int64),
                np.array([row.score for row in rows], dtype=np.float32),
            ),
            weight=weight,
            langs=np.zeros(len(rows), dtype=np.int32),
            support=np.ones(1, dtype=np.float32),
            background=nothing,
        )
        for place, (rows, weight) in enumerate(rankings)
    ]
    fused = fuse(method, candidates, depth).ranking
    return [
        ScoredDoc(topic, names[number], float(score))
        for number, score in zip(fused.passages, fused.scores, strict=True)
    ]
