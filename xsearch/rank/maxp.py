"""Passages → documents: a document is as good as its best passage."""

from __future__ import annotations

import numpy as np

from xsearch.core import FloatArray, IntArray, Ranking
from xsearch.core.order import first_mentions


def max_passage(
    ranking: Ranking, documents: IntArray, depth: int | None = None
) -> tuple[IntArray, IntArray, FloatArray]:
    """MaxP: score(D) = max over passages p of D of score(p); the first `depth` documents, all by default.

    `documents` is int64 (n,), the document of each passage of `ranking`. Returns, aligned and best first, the rows of
    the ranking where each document's best passage stands (int64, ascending), the documents (int64) and their scores
    (float32). Equal scores keep the order of the passages. Best passage: Callan, "Passage-Level Evidence in Document
    Retrieval", SIGIR 1994; named MaxP by Dai and Callan, "Deeper Text Understanding for IR with Contextual Neural
    Language Modeling", SIGIR 2019.
    """
    _, first = first_mentions(documents)
    rows = np.sort(first)[:depth]
    return rows, documents[rows], ranking.scores[rows]
