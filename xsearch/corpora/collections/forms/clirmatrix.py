"""CLIRMatrix (Sun and Duh, EMNLP 2020): JSON lines, a query with its graded documents each, grades 0 to 6."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from xsearch.core import Document, Judgment, Topic
from xsearch.corpora.formats.lines import byte_lines


def documents(path: Path, lang: str | None) -> Iterator[Document]:
    """``id⇥text`` lines; documents without text, which the collection has, are left out."""
    for _, line in byte_lines(path):
        name, _, text = line.decode().partition("\t")
        if text.strip():
            yield Document(name, text.strip(), lang=lang)


def topics(path: Path, lang: str | None) -> Iterator[Topic]:
    """``src_query`` under ``src_id``."""
    for _, line in byte_lines(path):
        record = json.loads(line)
        yield Topic(str(record["src_id"]), record["src_query"].strip(), lang)


def judgments(path: Path, lang: str | None) -> Iterator[Judgment]:
    """``tgt_results``: pairs of document and grade."""
    for _, line in byte_lines(path):
        record = json.loads(line)
        for document, grade in record["tgt_results"]:
            yield Judgment(str(record["src_id"]), str(document), int(grade))
