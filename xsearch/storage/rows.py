"""Whether the rows of a store are what was written: SQLite's own check, and a checksum for every document."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import zstandard

from xsearch.storage.generated import question_problems
from xsearch.storage.readonly import ReadOnlyDatabase
from xsearch.storage.schema import row_checksum

PAGE = 256
MOST = 20
"""Problems of one kind that are listed; more say nothing new."""


def store_problems(path: Path, commit: int) -> list[str]:
    """What is wrong with the store at `path` for a reader at `commit`, empty when all is well. Reads everything.
    Raises `IndexDamaged` when it cannot be read at all."""
    with contextlib.closing(ReadOnlyDatabase(path, commit)) as db:
        structure = [message for (message,) in db.rows(f"PRAGMA integrity_check({MOST})") if message != "ok"]
        if structure:
            return structure
        found = []
        for row in _documents(db, commit):
            found += row
            if len(found) >= MOST:
                break
        return found + list(islice(question_problems(db, commit), MOST))


def _documents(db: ReadOnlyDatabase, commit: int) -> Iterator[list[str]]:
    """The problems of each document, of those that are gone, too: what is stored should be what was written."""
    last = -1
    while rows := db.rows(
        "SELECT number, id, title, lang, metadata, source, first, passages, checksum FROM documents "
        f"WHERE number > ? AND added <= ? ORDER BY number LIMIT {PAGE}",
        (last, commit),
    ):
        last = rows[-1][0]
        texts = dict(db.rows("SELECT document, text FROM texts WHERE document BETWEEN ? AND ?", (rows[0][0], last)))
        passages = db.rows(
            "SELECT number, document, start, end, lang, script, confidence FROM passages "
            "WHERE number >= ? AND number < ? ORDER BY number",
            (rows[0][6], rows[-1][6] + rows[-1][7]),
        )
        spans = {document: list(group) for document, group in groupby(passages, key=lambda passage: passage[1])}
        for row in rows:
            yield _row(row, spans.get(row[0], []), texts.get(row[0]))


def _row(row: tuple[Any, ...], spans: Sequence[tuple[Any, ...]], frame: bytes | None) -> list[str]:
    number, id, title, lang, metadata, source, first, passages, checksum = row
    found = []
    if len(spans) != passages or row_checksum(id, title, lang, metadata, source, first, spans) != checksum:
        found.append(f"document {number} ({id!r}) or its passages were altered")
    if frame is None:
        found.append(f"the text of document {number} ({id!r}) is missing")
    else:
        try:
            zstandard.ZstdDecompressor().decompress(frame)
        except (zstandard.ZstdError, MemoryError) as error:
            found.append(f"the text of document {number} ({id!r}) was altered: {error}")
    return found
