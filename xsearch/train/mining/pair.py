"""A pair to train on: a query and a passage that answers it, where they come from, and how sure that is."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Origin = Literal["title", "heading", "question", "comparable", "aligned"]
"""title: a document's title and a passage of it. heading: a line above a paragraph. question: a sentence that asks and
what follows it. comparable: the beginnings of two documents, in two languages, on one thing. aligned: a question or a
sentence with a gap, and the passage in another language that has the answer."""
ORIGINS: tuple[Origin, ...] = get_args(Origin)
ABROAD: frozenset[Origin] = frozenset({"comparable", "aligned"})
"""Origins whose pairs are in two languages."""


class TrainingPair(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the output. query_id, positive_id: the documents they are from. score: of origin comparable and aligned
    how well the two match, between 0 and 1, else 1. rank: where the query found the positive's document when it was
    asked, 0 where it was not. answer: the positive's words that fill the query's gap or answer it, answer_start: where
    they begin in it, in code points."""

    query: str
    query_lang: str
    positive: str
    positive_lang: str
    origin: Origin
    score: float
    query_id: str
    positive_id: str
    rank: int = 0
    answer: str = ""
    answer_start: int = -1
