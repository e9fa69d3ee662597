"""BEIR's judgments (Thakur et al. 2021): tab-separated ``query-id corpus-id score`` under a line of names.

Its corpus.jsonl and queries.jsonl are read by the formats as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xsearch.core import Judgment
from xsearch.corpora.formats.lines import byte_lines


def judgments(path: Path, lang: str | None) -> Iterator[Judgment]:
    """One judgment a line; the line of names may lack."""
    for number, line in byte_lines(path):
        topic, document, grade = line.decode().split("\t")
        if number > 1 or grade.strip() != "score":
            yield Judgment(topic, document, int(grade))
