"""What a reranker is given and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

from xsearch.core import FloatArray, Query
from xsearch.rank.rerank.card import RerankerCard


@dataclass(frozen=True, slots=True, eq=False)
class RerankCandidate:
    """A passage to be scored again.

    number: the passage's. document: its document's id. lang: the passage's language. score: what the fusion gave it.
    scores, ranks: by retriever, of those alone that returned it, the calibrated score as the fusion used it (higher is
    better; NaN never) and the rank among the retriever's own results (1 is best). supports: by every retriever asked,
    how much its silence would have said.
    """

    number: int
    document: str
    lang: str
    title: str | None
    text: str
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    supports: Mapping[str, float] = field(default_factory=dict)


def passage_text(passage: RerankCandidate) -> str:
    """A passage as encoders read it too: its title, then its text."""
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


class Reranker(Protocol):
    """Scores passages for a query. Safe to share between threads."""

    @property
    def card(self) -> RerankerCard:
        """What the reranker is."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What it could not do as asked since it was loaded, by kind, e.g. ``{"queries cut short": 2}``."""

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), higher is better, finite. The score of a passage does not depend on the others,
        but for a `ListReranker`."""


class ListReranker(Reranker, Protocol):
    """One whose scores compare only within one call: it orders the list as a whole."""

    def improve(self, query: Query, passages: Sequence[RerankCandidate]) -> Iterator[FloatArray]:
        """Scores of all passages, float32 (len(passages),), again and again, each time of a better list; the last is
        what `score` returns. Whoever has no more time stops taking them."""

    def passes(self, count: int) -> int:
        """How many lists `improve` gives of `count` passages."""


class ComposedReranker(Reranker, Protocol):
    """One that other modules make up for other languages."""

    def composition(self, query_lang: str, passage_lang: str) -> tuple[str, ...]:
        """The languages whose modules read a query in the one language with a passage in the other."""


def is_composed(reranker: Reranker) -> TypeGuard[ComposedReranker]:
    """Whether a reranker is composed of modules by language."""
    return hasattr(reranker, "composition")


def is_listwise(reranker: Reranker) -> TypeGuard[ListReranker]:
    """Whether a reranker orders lists instead of scoring passages one by one."""
    return hasattr(reranker, "improve")
