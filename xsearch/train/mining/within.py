"""Pairs that a document holds by itself: its title, headings and questions, each with what it stands above."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from xsearch import lang as languages
from xsearch.storage import StoredDocument
from xsearch.train.mining.pair import Origin, TrainingPair

MOST_WORDS = 180
"""Words of a positive: a passage's."""
LEAST_WORDS = 12
"""Words that a positive has at least: less says too little to be looked for."""
FEWEST_WORDS, MOST_QUERY_WORDS = 2.0, 15.0
"""Words of a title or heading: one alone is as a rule "Introduction"."""
MOST_PASSAGES = 3
"""Passages of a document that its title stands for: the first ones."""
QUESTION_MARKS = "?？؟;՞፧⁇"
ENDS = re.compile(r"[.!:,…。！：，、؛۔।|]$")
"""What the last line above a paragraph does not end with when it is its heading."""


def pairs_within(document: StoredDocument, origins: Collection[Origin]) -> Iterator[TrainingPair]:
    """The pairs of `origins` within one document, in the order of the text."""
    if "title" in origins:
        yield from _titles(document)
    if "heading" in origins:
        yield from _headings(document)
    if "question" in origins:
        yield from _questions(document)


def is_question(sentence: str, lang: str) -> bool:
    """Whether a sentence asks. The Greek question mark is elsewhere a semicolon."""
    sentence = sentence.rstrip("\"'”’“‘»«」』)]} ")
    return sentence.endswith(tuple(QUESTION_MARKS)) and (lang == "el" or not sentence.endswith(";"))


def _titles(document: StoredDocument) -> Iterator[TrainingPair]:
    title = (document.title or "").strip()
    for span in document.spans[:MOST_PASSAGES]:
        if FEWEST_WORDS <= languages.count_words(title) <= MOST_QUERY_WORDS:
            yield from _pair(document, title, document.text[span.start : span.end], span.lang, "title")


def _headings(document: StoredDocument) -> Iterator[TrainingPair]:
    """Short lines without a stop, each with the lines under it up to the next."""
    lines = [line.strip() for line in document.text.splitlines() if line.strip()]
    place = 0
    while place + 1 < len(lines):
        heading, lang = lines[place], _lang(document, lines[place])
        place += 1
        if not _is_heading(heading):
            continue
        body: list[str] = []
        while place < len(lines) and not _is_heading(lines[place]):
            body.append(lines[place])
            place += 1
        yield from _pair(document, heading, "\n".join(body), lang, "heading")


def _questions(document: StoredDocument) -> Iterator[TrainingPair]:
    """Sentences that ask, each with what follows up to the next one."""
    for span in document.spans:
        text, lang = document.text[span.start : span.end], span.lang
        found = languages.sentences(text, lang)
        asking = [place for place, (start, end) in enumerate(found) if is_question(text[start:end], lang)]
        for place, after in pairwise([*asking, len(found)]):
            if place + 1 < after and languages.count_words(text[slice(*found[place])]) >= FEWEST_WORDS:
                answer = text[found[place + 1][0] : found[after - 1][1]]
                yield from _pair(document, text[slice(*found[place])], answer, lang, "question")


def _is_heading(line: str) -> bool:
    return not ENDS.search(line) and FEWEST_WORDS <= languages.count_words(line) <= MOST_QUERY_WORDS


def _lang(document: StoredDocument, line: str) -> str:
    """The language of the passage that holds a line."""
    place = document.text.find(line)
    return next((span.lang for span in document.spans if span.start <= place < span.end), document.spans[0].lang)


def _pair(document: StoredDocument, query: str, positive: str, lang: str, origin: Origin) -> Iterator[TrainingPair]:
    positive = beginning(positive, lang)
    if languages.count_words(positive) >= LEAST_WORDS:
        yield TrainingPair(query.strip(), lang, positive, lang, origin, 1.0, document.id, document.id)


def beginning(text: str, lang: str) -> str:
    """The first whole sentences of a text, about `MOST_WORDS` words."""
    spans = languages.split_passages(text, lang, max_words=MOST_WORDS)
    return text[spans[0][0] : spans[0][1]] if spans else ""
