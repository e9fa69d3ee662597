"""What a user sees of a document that was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """One retriever's part in a hit: rank (1 is best) among its own results and raw score, None where it did not
    return the passage; calibrated score, support (0..1) and weight as the fusion used them."""

    retriever: str
    rank: int | None
    score: float | None
    calibrated: float | None
    support: float
    weight: float


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker's part in a hit: the ranks before and after (1 is best), and its score, None where it did not come to
    the document. modules: of a reranker composed of modules, the languages whose modules read the passage with the
    query, () where the ranking module did alone; None of every other."""

    reranker: str
    before: int
    after: int
    score: float | None
    modules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class WordMatch:
    """A word of the passage that translates a word of the query.

    query, word: both as written. start, end: where `word` stands in `Hit.text`, in code points. strength: 0 to 1, how
    surely the one translates the other.
    """

    query: str
    word: str
    start: int
    end: int
    strength: float


@dataclass(frozen=True, slots=True)
class TokenMatch:
    """A token of the query and the passage's that late interaction found nearest to it; of retriever `late`, words.

    query, word: both as written. asked_start, asked_end: where the one stands in the query's plain text; start, end:
    where the other stands in `Hit.text`, or, if `in_title`, in `Hit.title`; in code points. similarity: their cosine.
    """

    retriever: str
    query: str
    asked_start: int
    asked_end: int
    word: str
    start: int
    end: int
    similarity: float
    in_title: bool = False


@dataclass(frozen=True, slots=True)
class QuestionMatch:
    """A generated question through which a passage was found.

    text, lang: the question. generator: who made it. decisive: whether no retriever spoke louder for the passage than
    the one that reads such questions.
    """

    text: str
    lang: str
    generator: str
    decisive: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found, with its best passage.

    text: the best passage. snippet: a sentence or two of it. spans: character ranges in `snippet` that the query's
    words, or their translations, matched. start, end: where the passage lies in the document's text, in code points.
    explain, matches, met: filled when asked for; rerank too, where the documents were reranked. questions: those
    generated from the passage that the query's words stand in, the best first.
    """

    rank: int
    id: str
    lang: str
    score: float
    text: str
    title: str | None = None
    snippet: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    start: int = 0
    end: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    explain: tuple[Explanation, ...] = ()
    matches: tuple[WordMatch, ...] = ()
    met: tuple[TokenMatch, ...] = ()
    rerank: Reranking | None = None
    questions: tuple[QuestionMatch, ...] = ()
