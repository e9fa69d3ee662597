"""Judged pairs of a question and a candidate, a line each: xPQA (Shen et al. 2023) and XGLUE's web page ranking.

xPQA: tab-separated under a line of names, of which qid, qa_pair_id, question, candidate and label are read. XGLUE-WPR
(Liang et al. 2020): query, title, snippet, label without names. Ids that the file lacks are numbers by first
occurrence; a document's ends in its language (``12.de``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from xsearch.core import Document, Judgment, Topic
from xsearch.corpora.formats.lines import byte_lines

_NAMES = ("qid", "qa_pair_id", "question", "candidate", "label")
_LABELS = ("Bad", "Fair", "Good", "Excellent", "Perfect")


@dataclass(frozen=True, slots=True)
class _Pair:
    topic: str
    question: str
    document: str
    title: str | None
    text: str
    grade: int


def documents(path: Path, lang: str | None) -> Iterator[Document]:
    """The candidates, each once."""
    seen: dict[str, Document] = {}
    for pair in _pairs(path, lang):
        seen.setdefault(pair.document, Document(pair.document, pair.text, pair.title, lang))
    yield from seen.values()


def topics(path: Path, lang: str | None) -> Iterator[Topic]:
    """The questions, each once."""
    for topic, question in {pair.topic: pair.question for pair in _pairs(path, lang)}.items():
        yield Topic(topic, question, lang)


def judgments(path: Path, lang: str | None) -> Iterator[Judgment]:
    """The labels."""
    for pair in _pairs(path, lang):
        yield Judgment(pair.topic, pair.document, pair.grade)


def _pairs(path: Path, lang: str | None) -> Iterator[_Pair]:
    ending = f".{lang}" if lang else ""
    rows = (line.decode().split("\t") for _, line in byte_lines(path))
    first = next(rows)
    if "candidate" in first:
        places = [first.index(name) for name in _NAMES]
        for row in rows:
            topic, document, question, text, label = (row[place] for place in places)
            yield _Pair(topic, question, document + ending, None, text, int(float(label)))
        return
    queries: dict[str, str] = {}
    for number, (query, title, snippet, label) in enumerate(chain([first], rows), start=1):
        topic = queries.setdefault(query, f"q{len(queries) + 1}")
        grade = _LABELS.index(label) if label in _LABELS else int(label)
        yield _Pair(topic, query, f"{number}{ending}", title or None, snippet, grade)
