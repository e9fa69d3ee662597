"""What is asked: a topic as it is issued, a query as it is searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xsearch.core.batch import FloatArray, IntArray, SparseVectors

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


@dataclass(frozen=True, slots=True)
class Spelling:
    """A word of the query as it is written. form: folded; key, family: how it sounds and is written
    (`xsearch.lang.romanise`). weight: what it counts among the query's words. among: the families it is looked for in,
    where it is a reading of a word beside the word itself; "" for all."""

    form: str
    key: str
    family: str
    weight: float = 1.0
    among: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class QueryPieces:
    """The query in pieces of the encoder's vocabulary, in its order, function words among them.

    tokens: int32 (q,). weights: float32 (q,), what the encoder has learnt that each says, 0 or more. starts, ends:
    int64 (q,), where each stands in the query's text, in code points.
    """

    tokens: NDArray[np.int32]
    weights: FloatArray
    starts: IntArray
    ends: IntArray

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Translations:
    """What each piece of a query may be in a language: of piece i, the pieces ``tokens[starts[i]:starts[i + 1]]``.

    starts: int64 (q + 1,). tokens: int32 (m,), each at most once for a piece of the query. probabilities: float32
    (m,), p(token | query piece), above 0; those of one piece sum to at most 1.
    """

    starts: IntArray
    tokens: NDArray[np.int32]
    probabilities: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A query ready to be searched.

    text: its plain words, operators removed (what encoders read). langs: candidate languages with weights that sum
    to 1, best first. clauses: the parts as written. analyzed: for every language of the index, the clauses after
    that language's analyzer (a name can match in any language). vectors: by retriever name, float32 (dim,), of a
    retriever by late interaction float32 (tokens, dim). weights: of the sparse encoder's vocabulary, one row. pieces:
    None where no retriever reads them. translations: by language of the index, those that can be reached; in the
    query's own language each piece is its own translation. spellings: the words, for the retriever of names.
    wordings: by language of the index, the clauses to look up there as they are written, for a retriever that analyzes
    them itself. exact: whether retrievers of vectors, where they would score likely passages only, are to score all.
    """

    text: str
    langs: tuple[tuple[str, float], ...]
    clauses: tuple[Clause, ...] = ()
    analyzed: Mapping[str, tuple[AnalyzedClause, ...]] = field(default_factory=dict)
    vectors: Mapping[str, FloatArray] = field(default_factory=dict)
    pieces: QueryPieces | None = None
    weights: SparseVectors | None = None
    translations: Mapping[str, Translations] = field(default_factory=dict)
    spellings: tuple[Spelling, ...] = ()
    wordings: Mapping[str, tuple[Clause, ...]] = field(default_factory=dict)
    exact: bool = False

    @property
    def lang(self) -> str:
        """The likeliest language of the query, "und" when nothing is known."""
        return self.langs[0][0] if self.langs else "und"
