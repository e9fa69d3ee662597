"""Judged pairs of a question and a candidate, a line each: xPQA (Shen et al. 2023) and XGLUE's web page ranking.

xPQA: comma- or tab-separated under a line of names, of which qid, qa_id (or qa_pair_id), question, candidate and label
are read, and lang for the question's language where it is there. XGLUE-WPR (Liang et al. 2020): query, title, snippet,
label between tabs, without names or quotes. Ids that the file lacks are numbers by first occurrence; a document's ends
in its language (``12.de``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xsearch.core import Document, Judgment, Topic
from xsearch.corpora.formats.lines import byte_lines

_LABELS = ("Bad", "Fair", "Good", "Excellent", "Perfect")


@dataclass(frozen=True, slots=True)
class _Pair:
    topic: str
    lang: str | None
    question: str
    document: str
    title: str | None
    text: str
    grade: int


def documents(path: Path, lang: str | None) -> Iterator[Document]:
    """The candidates, in `lang`, each once."""
    seen: dict[str, Document] = {}
    for pair in _pairs(path, lang):
        seen.setdefault(pair.document, Document(pair.document, pair.text, pair.title, lang))
    yield from seen.values()


def topics(path: Path, lang: str | None) -> Iterator[Topic]:
    """The questions, each once; those of an xPQA file in `lang`, or all where it names none."""
    found = {pair.topic: Topic(pair.topic, pair.question, pair.lang or lang) for pair in _pairs(path, None)}
    yield from (topic for topic in found.values() if lang in (None, topic.lang))


def judgments(path: Path, lang: str | None) -> Iterator[Judgment]:
    """The labels, of documents in `lang`."""
    for pair in _pairs(path, lang):
        yield Judgment(pair.topic, pair.document, pair.grade)


def _pairs(path: Path, lang: str | None) -> Iterator[_Pair]:
    """lang: of the documents."""
    ending = f".{lang}" if lang else ""
    lines = [line.decode() for _, line in byte_lines(path)]
    names = next(csv.reader(lines[:1], delimiter=_delimiter(lines[0])))
    if "candidate" in names:
        # A quoted field goes on over the end of its line.
        rows = csv.DictReader((f"{line}\n" for line in lines), delimiter=_delimiter(lines[0]), strict=True)
        yield from _product_pairs(rows, ending)
        return
    queries: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        query, title, snippet, label = line.split("\t")
        topic = queries.setdefault(query, f"q{len(queries) + 1}")
        grade = _LABELS.index(label) if label in _LABELS else int(label)
        yield _Pair(topic, None, query, f"{number}{ending}", title or None, snippet, grade)


def _product_pairs(rows: Iterable[dict[str, str]], ending: str) -> Iterator[_Pair]:
    for row in rows:
        document = row.get("qa_id") or row["qa_pair_id"]
        grade = int(float(row["label"]))
        yield _Pair(row["qid"], row.get("lang"), row["question"], document + ending, None, row["candidate"], grade)


def _delimiter(header: str) -> str:
    return "\t" if "\t" in header else ","
