"""How much generated questions should count in a passage's vector, for each pair of languages, by queries with known
answers: they help most languages and hurt some (Zhuang et al. 2023: recall of Japanese questions falls), so that one
share for all does justice to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xsearch import lang as languages
from xsearch.core import FloatArray, IntArray, Qrels, Topic, UsageError, Windows
from xsearch.engine.questions import mixed
from xsearch.engine.snapshot import Snapshot

GRID = (0.0, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
FEWEST = 10
"""Queries of a pair below which nothing is chosen for it."""
MOST = 2000
"""Documents of a language that are ranked: those with answers first, then the first ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """What is ranked in one language. documents: ids, n. places: int64 (p,), of each passage its document. numbers:
    int64 (p,), passage numbers, ascending. windows: their owners are rows of `numbers`."""

    documents: list[str]
    places: IntArray
    numbers: IntArray
    windows: Windows


def choose_alphas(
    snapshot: Snapshot, topics: Sequence[Topic], qrels: Qrels, grid: Sequence[float] = GRID
) -> dict[str, float]:
    """By pair of languages, "en-de" for English questions and German passages, the share α of `grid` with which the
    topics in the questions' language find their answers soonest: the mean reciprocal rank of the first relevant
    document among those of the passages' language, with the questions of that pair alone. Of equal shares the smaller.

    Pairs with fewer than `FEWEST` topics are left out. Raises `UsageError` where all are, `EncoderMismatch` for an
    index without vectors.
    """
    relevant = {
        topic: {document for document, grade in grades.items() if grade > 0} for topic, grades in qrels.topics().items()
    }
    wanted = set().union(*relevant.values()) if relevant else set()
    asked: dict[str, list[Topic]] = {}
    for topic in topics:
        if topic.lang and relevant.get(topic.id):
            asked.setdefault(languages.base_language(topic.lang), []).append(topic)
    chosen: dict[str, float] = {}
    for lang in snapshot.groups:
        pool = pool_of(snapshot, lang, wanted)
        for spoken, own in sorted(asked.items()):
            queries = [topic for topic in own if relevant[topic.id].intersection(pool.documents)]
            if len(queries) >= FEWEST:
                chosen[f"{spoken}-{lang}"] = _best(snapshot, pool, spoken, queries, relevant, grid)
    if not chosen:
        raise UsageError(f"no pair of languages has {FEWEST} topics with answers in the index: α cannot be chosen")
    return chosen


def pool_of(snapshot: Snapshot, lang: str, wanted: set[str]) -> Pool:
    """The documents of a language, at most `MOST`, `wanted` ones before others."""
    found = [
        document
        for document in snapshot.store.documents()
        if any(languages.base_language(span.lang) == lang for span in document.spans)
    ]
    kept = sorted(sorted(found, key=lambda document: document.id not in wanted)[:MOST], key=lambda d: d.number)
    places, numbers, texts = [], [], []
    for place, document in enumerate(kept):
        for ordinal, span in enumerate(document.spans):
            if languages.base_language(span.lang) == lang:
                text = document.text[span.start : span.end]
                places.append(place)
                numbers.append(document.first + ordinal)
                texts.append(f"{document.title}\n{text}" if document.title else text)
    windows = snapshot.encoder.encode_passages(texts, [lang] * len(texts))
    return Pool([d.id for d in kept], np.array(places, np.int64), np.array(numbers, np.int64), windows)


def _best(
    snapshot: Snapshot,
    pool: Pool,
    spoken: str,
    topics: Sequence[Topic],
    relevant: Mapping[str, set[str]],
    grid: Sequence[float],
) -> float:
    questions = [
        question
        for question in snapshot.store.questions.of(pool.numbers.tolist())
        if languages.base_language(question.lang) == spoken
    ]
    if not questions:
        return 0.0
    encoder = snapshot.encoder
    rows = np.searchsorted(pool.numbers, [question.passage for question in questions])
    vectors = encoder.encode_queries([question.text for question in questions], [spoken] * len(questions))
    weights = np.array([question.weight for question in questions], dtype=np.float32)
    queries = encoder.encode_queries([topic.text for topic in topics], [spoken] * len(topics))
    answers = np.array([[id in relevant[topic.id] for id in pool.documents] for topic in topics])
    ranks = []
    for alpha in grid:
        shares = np.full(len(questions), alpha, dtype=np.float32)
        made = mixed(pool.windows, rows, vectors, shares, weights)
        ranks.append(reciprocal_rank(queries @ made.vectors.T, pool.places[made.owners], answers))
    # The first of equals: the grid ascends.
    return float(grid[int(np.argmax(np.round(ranks, 6)))])


def reciprocal_rank(
    scores: FloatArray, documents: IntArray, answers: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
) -> float:
    """Mean over queries of 1 / the rank of the first document that answers; of equal scores answers come last.

    scores: float32 (queries, windows). documents: int64 (windows,), ascending, whose window each is. answers: bool
    (queries, documents). A document's score is that of its best window; one without windows comes last.
    """
    starts = np.flatnonzero(np.diff(documents, prepend=-1))
    best = np.full(answers.shape, -np.inf, dtype=np.float32)
    best[:, documents[starts]] = np.maximum.reduceat(scores, starts, axis=1)
    of_answers = np.where(answers, best, -np.inf).max(axis=1, keepdims=True)
    ranks = 1 + np.count_nonzero((best >= of_answers) & ~answers, axis=1)
    return float(np.mean(1.0 / ranks))
