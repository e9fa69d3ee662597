"""What is asked: a topic as it is issued, a query as it is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from xsearch.core.batch import FloatArray

Occur = Literal["should", "must", "must_not"]
Field = Literal["body", "title"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A question as a collection issues it. (id, lang) is unique; one id may come in many languages."""

    id: str
    text: str
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the query as written: words (`phrase` false) or a quoted phrase, wanted, required or excluded."""

    text: str
    occur: Occur = "should"
    field: Field = "body"
    phrase: bool = False


@dataclass(frozen=True, slots=True)
class AnalyzedClause:
    """A clause after one language's analyzer. A phrase matches `terms` in order; words match any of them."""

    terms: tuple[str, ...]
    occur: Occur = "should"
    field: Field = "body"
    phrase: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A query ready to be searched.

    text: its plain words, operators removed (what encoders read). langs: candidate languages with weights that sum
    to 1, best first. clauses: the parts as written. analyzed: for every language of the index, the clauses after
    that language's analyzer (a name can match in any language). vectors: by retriever name, float32 (dim,).
    """

    text: str
    langs: tuple[tuple[str, float], ...]
    clauses: tuple[Clause, ...] = ()
    analyzed: Mapping[str, tuple[AnalyzedClause, ...]] = field(default_factory=dict)
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def lang(self) -> str:
        """The likeliest language of the query, "und" when nothing is known."""
        return self.langs[0][0] if self.langs else "und"
