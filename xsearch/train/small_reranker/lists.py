"""Questions asked of an index: a list of passages each, measured and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch.encode import PieceEncoder
from xsearch.engine import create_index, open_index
from xsearch.engine.rerank import NONE, candidates
from xsearch.engine.search import SearchOptions
from xsearch.rank.rerank.small import Measured, measure
from xsearch.train.small_reranker.questions import Asked, Material

ONE_LANGUAGE = 2
"""Every so many-th question is asked of one language's documents alone, of one that has an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredList:
    """A question's list of n passages. right: bool (n,), which of them answer."""

    measured: Measured
    right: NDArray[np.bool_]


def make_index(folder: Path, recipe: str, encoder: str, material: Material) -> None:
    """An index of the documents, by the vectors of an encoder."""
    with create_index(folder, recipe, encoder) as index, index.writer() as writer:
        for document in material.documents:
            writer.add(document)


def answered_lists(
    folder: Path,
    questions: Sequence[Asked],
    encoder: PieceEncoder,
    depth: int,
    on_question: Callable[[int], None] = lambda _: None,
) -> Iterator[AnsweredList]:
    """The best `depth` documents for every question, measured; a question that finds none has no
    list. on_question: told how many have been asked."""
    with open_index(folder) as index:
        for number, asked in enumerate(questions, start=1):
            to = [asked.right[0].rpartition(".")[2]] if number % ONE_LANGUAGE == 0 else None
            options = SearchOptions(depth, asked.topic.lang, to, rerank=NONE)
            snapshot, found = index.find(asked.topic.text, options)
            passages = candidates(snapshot, found.fused, found.rows)
            on_question(number)
            if passages:
                right = np.array([passage.document in asked.right for passage in passages])
                yield AnsweredList(measure(encoder, found.query, passages), right)
