"""Questions in one language whose answers stand in a document of another, through aligned sentences."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from xsearch import lang as languages
from xsearch.core import QueryPieces
from xsearch.encode import PieceEncoder
from xsearch.engine.tables import FUNCTION_WORD
from xsearch.lang.translation import TranslationTables
from xsearch.storage import StoredDocument
from xsearch.train.mining.comparable import main_language
from xsearch.train.mining.pair import TrainingPair
from xsearch.train.mining.projection import Alignment, Projected, align, sentence_pairs
from xsearch.train.mining.within import is_question

MOST_SENTENCES = 40
"""Sentences of a document that are compared: its first ones."""
LEAST_COVERAGE = 0.35
"""Which share of two sentences must be each other's translation, in the mean of both directions."""
LEAST_CONFIDENCE = 0.4
MOST_GAPS = 3
"""Sentences with a gap taken from a document: those whose answer is surest."""
GAP_WORDS = 3
LEFT_PIECES = 6
"""Pieces that say something which a sentence must keep beside its gap."""
GAP = "…"
UNSPACED = frozenset({"Hani", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr"})
"""Scripts in which a word ends at no sign."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """text = document.text[start:start + len(text)]."""

    start: int
    text: str


def aligned_pairs(
    tables: TranslationTables, encoder: PieceEncoder, left: StoredDocument, right: StoredDocument
) -> Iterator[TrainingPair]:
    """Pairs from two comparable documents, asking in either language. A sentence that asks is a query for the passage
    that translates what follows it; any other that has a translation is one with its surest words left out (a cloze,
    as Lewis, Denoyer and Riedel 2019 make questions of), and they, projected, are the answer."""
    langs = main_language(left), main_language(right)
    if tables.supports(*langs) <= 0 or tables.supports(*reversed(langs)) <= 0:
        return
    sides = [_sentences(document) for document in (left, right)]
    texts = ([sentence.text for sentence in sides[0]], [sentence.text for sentence in sides[1]])
    matched = sentence_pairs(tables, encoder, texts, langs, LEAST_COVERAGE)
    turned = [(there, here, score) for here, there, score in matched]
    yield from _asked(tables, encoder, left, right, sides[0], sides[1], matched)
    yield from _asked(tables, encoder, right, left, sides[1], sides[0], turned)


def _asked(
    tables: TranslationTables,
    encoder: PieceEncoder,
    asking: StoredDocument,
    answering: StoredDocument,
    sentences: list[Sentence],
    others: list[Sentence],
    matched: list[tuple[int, int, float]],
) -> Iterator[TrainingPair]:
    langs = main_language(asking), main_language(answering)
    gaps: list[tuple[float, TrainingPair]] = []
    for here, there, score in matched:
        before, other = sentences[here - 1] if here else None, others[there]
        if before and is_question(before.text, langs[0]) and not is_question(other.text, langs[1]):
            whole = Projected(0, len(other.text), score)
            yield from _pair(before.text, asking, answering, other, whole, langs)
            continue
        left, right = encoder.query_pieces(sentences[here].text), encoder.query_pieces(other.text)
        found = best_gap(encoder, left, align(tables, left, right, langs))
        if found:
            start, end, projected = found
            text = sentences[here].text
            cloze = f"{text[:start]}{GAP}{text[end:]}"
            made = _pair(cloze, asking, answering, other, whole_words(other.text, projected), langs)
            gaps += [(-projected.confidence, pair) for pair in made]
    yield from (pair for _, pair in sorted(gaps, key=lambda gap: gap[0])[:MOST_GAPS])


def best_gap(encoder: PieceEncoder, pieces: QueryPieces, alignment: Alignment) -> tuple[int, int, Projected] | None:
    """Where the words stand that say most among those surely projected, and their projection; None for no such."""
    best: tuple[float, tuple[int, int, Projected]] | None = None
    for first, last in stretches(encoder, pieces):
        inside = np.zeros(len(pieces), dtype=np.bool_)
        inside[first:last] = True
        if int((pieces.weights[~inside] >= FUNCTION_WORD).sum()) < LEFT_PIECES:
            continue
        start, end = int(pieces.starts[first]), int(pieces.ends[last - 1])
        projected = alignment.project(start, end)
        if projected and projected.confidence >= LEAST_CONFIDENCE:
            worth = float(pieces.weights[inside].sum()) * projected.confidence
            if best is None or worth > best[0]:
                best = worth, (start, end, projected)
    return best[1] if best else None


def stretches(encoder: PieceEncoder, pieces: QueryPieces) -> Iterator[tuple[int, int]]:
    """Runs of up to `GAP_WORDS` words that say something, as places of pieces, the last one excluded; none within
    another that begins where it begins."""
    if not len(pieces):
        return
    begins = np.flatnonzero(encoder.begins_word(pieces.tokens) | (np.arange(len(pieces)) == 0))
    ends = np.append(begins[1:], len(pieces))
    says = np.add.reduceat(pieces.weights, begins) >= FUNCTION_WORD
    word = 0
    while word < len(begins):
        run = word
        while run < len(begins) and says[run] and run - word < GAP_WORDS:
            run += 1
        if run > word:
            yield int(begins[word]), int(ends[run - 1])
        word = max(run, word + 1)


def whole_words(text: str, found: Projected) -> Projected:
    """A projection that ends where a word does: a table may know a word by its first piece alone."""
    end = found.end
    while end < len(text) and _goes_on(text[end]):
        end += 1
    return replace(found, end=end)


def _goes_on(char: str) -> bool:
    letter = char.isalnum() or unicodedata.category(char).startswith("M")
    return letter and languages.script_of(char) not in UNSPACED


def _sentences(document: StoredDocument) -> list[Sentence]:
    found = languages.sentences(document.text, main_language(document))[:MOST_SENTENCES]
    return [Sentence(start, document.text[start:end]) for start, end in found]


def _pair(
    query: str,
    asking: StoredDocument,
    answering: StoredDocument,
    sentence: Sentence,
    answer: Projected,
    langs: tuple[str, str],
) -> Iterator[TrainingPair]:
    start = sentence.start + answer.start
    for span in answering.spans:
        if span.start <= start and sentence.start + answer.end <= span.end:
            yield TrainingPair(
                query,
                langs[0],
                answering.text[span.start : span.end],
                langs[1],
                "aligned",
                answer.confidence,
                asking.id,
                answering.id,
                answer=answering.text[start : sentence.start + answer.end],
                answer_start=start - span.start,
            )
