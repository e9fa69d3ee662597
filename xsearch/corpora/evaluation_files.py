"""Files that lie beside a collection's documents and are none: judgments, runs, topics."""

from __future__ import annotations

import re
from pathlib import Path

from xsearch.core.errors import BadInput
from xsearch.corpora.compression import open_stream, split_compression
from xsearch.corpora.formats.choice import format_by_name
from xsearch.corpora.source import ReadOptions

LOOKED_AT = 8 << 10
"""Bytes from a file's beginning that tell what it is."""
FEWEST = 2
"""Lines that must have the form; one alone may be a sentence."""

_JUDGMENT = re.compile(rb"\S+[ \t]+(?:Q?0|\d)[ \t]+\S+[ \t]+-?\d{1,3}\s*")
_RUN = re.compile(rb"\S+[ \t]+\S+[ \t]+\S+[ \t]+\d+[ \t]+-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[ \t]+\S+\s*")
_TOPIC_MARKUP = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:top|topics|topic)\b", re.IGNORECASE)
_TOPIC_WORDINGS = re.compile(rb'\s*\{[^\n]*"topics"\s*:\s*\[\s*\{[^\n]*"topic_title"')
_TOPIC_NAME = re.compile(r"(?:topics|queries)\b", re.IGNORECASE)
_FORMATS = (None, "txt", "tsv", "json", "jsonl", "sgml")


def evaluation_file(path: Path) -> str | None:
    """What a file is that serves to evaluate and holds no documents: "judgments", "a run", "topics"; None for others
    and for what cannot be opened.

    Judgments and runs in TREC's form, topics in TREC's and CLEF's markup and in HC4's JSON are told by their first
    lines. Topics as plain JSON lines or ``id⇥text`` look as documents do: those are told by a name that begins with
    "topics" or "queries", beside a file whose name begins with "qrels".
    """
    form = format_by_name(path.name)
    if form not in _FORMATS:
        return None
    try:
        with path.open("rb") as file, open_stream(file, split_compression(path.name)[1], ReadOptions()) as stream:
            head = stream.read(LOOKED_AT)
    except (OSError, BadInput):
        return None
    if _TOPIC_MARKUP.match(head) or _TOPIC_WORDINGS.match(head):
        return "topics"
    if form != "sgml" and _TOPIC_NAME.match(path.name) and any(path.parent.glob("qrels*")):
        return "topics"
    lines = [line for line in head.splitlines() if line.strip()]
    if len(head) == LOOKED_AT:
        lines.pop()
    if len(lines) < FEWEST or form in ("json", "jsonl"):
        return None
    if all(map(_JUDGMENT.fullmatch, lines)):
        return "judgments"
    return "a run" if all(map(_RUN.fullmatch, lines)) else None
