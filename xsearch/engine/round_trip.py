"""Whether a generated question leads back to its passage: a filter in the manner of Doc2Query-- (Gospodinov et al.
2023, arXiv 2301.03266), with the index itself as the judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xsearch.engine.index import open_index
from xsearch.engine.rerank import NONE
from xsearch.engine.search import SearchOptions, search
from xsearch.storage import NewQuestion

OPERATORS = str.maketrans(dict.fromkeys('"+-:', " "))
"""What would make a query of words something else."""


class RoundTrip:
    """Asks questions of the index at `root` as it is now. most: how far down the list the passage may stand, among
    the passages of its language: a translation of it is no rival."""

    def __init__(self, root: Path, most: int) -> None:
        self._index, self._most = open_index(root), most

    def __call__(self, questions: Sequence[NewQuestion], lang: str) -> list[bool]:
        """For each question, in `lang`, whether it finds its passage."""
        snapshot = self._index.snapshot
        codes = snapshot.columns.language_of(np.array([question.passage for question in questions], dtype=np.int64))
        found = []
        for question, code in zip(questions, codes.tolist(), strict=True):
            options = SearchOptions(self._most, lang, to=[snapshot.manifest.languages[code]], rerank=NONE)
            passages = search(snapshot, question.text.translate(OPERATORS), options).fused.ranking.passages
            found.append(question.passage in passages[: self._most])
        return found
