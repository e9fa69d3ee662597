"""XQuAD-R of LAReQA (Roy et al., EMNLP 2020): SQuAD's JSON with sentence boundaries, one parallel file a language.

A document is a sentence, with its paragraph as metadata; the sentence in which an answer begins is relevant. Ids run
alike through the languages: ``3.1.de`` is the second sentence of the fourth paragraph.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xsearch.core import Document, Judgment, Topic
from xsearch.corpora.formats.lines import byte_lines


def documents(path: Path, lang: str | None) -> Iterator[Document]:
    """The sentences."""
    for number, paragraph in enumerate(_paragraphs(path)):
        for place, (start, end) in enumerate(paragraph["sentence_breaks"]):
            text = paragraph["context"][start:end]
            if text.strip():
                metadata = {"paragraph": paragraph["context"]}
                yield Document(_id(number, place, lang), text, lang=lang, metadata=metadata)


def topics(path: Path, lang: str | None) -> Iterator[Topic]:
    """The questions; an id is the same in all languages."""
    for paragraph in _paragraphs(path):
        for question in paragraph["qas"]:
            yield Topic(question["id"], question["question"].strip(), lang)


def judgments(path: Path, lang: str | None) -> Iterator[Judgment]:
    """For each question the sentences in which its answers begin, grade 1."""
    for number, paragraph in enumerate(_paragraphs(path)):
        for question in paragraph["qas"]:
            begins = {answer["answer_start"] for answer in question["answers"]}
            for place, (start, end) in enumerate(paragraph["sentence_breaks"]):
                if any(start <= begin < end for begin in begins):
                    yield Judgment(question["id"], _id(number, place, lang), 1)


def _paragraphs(path: Path) -> list[dict[str, Any]]:
    whole = json.loads(b"\n".join(line for _, line in byte_lines(path)))
    return [paragraph for article in whole["data"] for paragraph in article["paragraphs"]]


def _id(paragraph: int, sentence: int, lang: str | None) -> str:
    return f"{paragraph}.{sentence}.{lang or 'und'}"
