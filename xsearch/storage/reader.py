"""The store as a reader of one commit sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard

from xsearch.core import FilterError, IndexDamaged, IntArray
from xsearch.storage.generated import QuestionReader
from xsearch.storage.readonly import ReadOnlyDatabase
from xsearch.storage.records import Counts, NewPassage, SourceState, StoredDocument, StoredPassage
from xsearch.storage.schema import chunks, decode_path, visible

PAGE = 256
"""Documents read at a time where all are read."""
PLACES = 65_536
"""The same where only their numbers are."""

_DOCUMENT = "SELECT number, id, title, lang, metadata, source, first, passages FROM documents"


class StoreReader:
    """`store.db` at `path` as of `commit`, whatever a writer does meanwhile. Thread-safe; never writes.

    Raises `IndexDamaged` when the store is missing, altered, or does not reach `commit`.
    """

    def __init__(self, path: Path, commit: int) -> None:
        self._path = path
        self._visible = visible(commit)
        self._visible_sources = visible(commit, "sources")
        self._db = ReadOnlyDatabase(path, commit)
        self.questions = QuestionReader(self._db, commit)

    def close(self) -> None:
        """Let go of the file; twice is once."""
        self._db.close()

    def passages(self, numbers: IntArray | Sequence[int]) -> list[StoredPassage]:
        """The passages with these numbers, in this order, alive or not. Raises `IndexDamaged` for an unknown one."""
        wanted = [int(number) for number in numbers]
        places: dict[int, tuple[Any, ...]] = {}
        for marks, piece in chunks(wanted):
            rows = self._db.rows(
                "SELECT p.number, p.document, d.id, d.title, d.metadata, p.number - d.first, p.start, p.end, p.lang, "
                "p.script, p.confidence FROM passages p JOIN documents d ON d.number = p.document "
                f"WHERE p.number IN ({marks})",
                piece,
            )
            places.update((row[0], row[1:]) for row in rows)
        texts = self._texts(list({place[0] for place in places.values()}))
        return [self._passage(number, places, texts) for number in wanted]

    def document(self, id: str) -> StoredDocument | None:
        """The document with this id, None where there is none alive."""
        rows = self._db.rows(f"{_DOCUMENT} WHERE id = ? AND {self._visible}", (id,))
        return next(self._documents(rows), None)

    def documents(self, passage: int = 0) -> Iterator[StoredDocument]:
        """All live documents, by ascending number, but for those whose passages all come before number `passage`."""
        last = -1
        while rows := self._db.rows(
            f"{_DOCUMENT} WHERE number > ? AND first + passages >= ? AND {self._visible} ORDER BY number LIMIT {PAGE}",
            (last, passage),
        ):
            yield from self._documents(rows)
            last = rows[-1][0]

    def ids(self, documents: IntArray | Sequence[int]) -> list[str]:
        """Ids of the documents with these numbers, in this order. Raises `IndexDamaged` for an unknown one."""
        wanted = [int(number) for number in documents]
        found: dict[int, str] = {}
        for marks, piece in chunks(wanted):
            found.update(self._db.rows(f"SELECT number, id FROM documents WHERE number IN ({marks})", piece))
        try:
            return [found[number] for number in wanted]
        except KeyError as error:
            raise IndexDamaged(f"{self._path} holds no document {error}: run `xsearch check`") from None

    def select(self, condition: str, parameters: Sequence[Any] = ()) -> IntArray:
        """Numbers, int64 ascending, of the live documents for which an SQL condition holds. It may name the columns
        number, id, title, lang and metadata (JSON text). Raises `FilterError` when SQLite cannot evaluate it."""
        try:
            rows = self._db.rows(
                f"SELECT number FROM documents WHERE {self._visible} AND ({condition}) ORDER BY number", parameters
            )
        except (sqlite3.OperationalError, sqlite3.InterfaceError, OverflowError) as error:
            raise FilterError(f"the filter cannot be evaluated: {error}") from error
        return np.fromiter((number for (number,) in rows), np.int64, len(rows))

    def fields(self) -> dict[str, list[str]]:
        """The fields of live documents' metadata, sorted, each with the JSON types of its values; reads every row."""
        kinds: dict[str, list[str]] = {}
        for key, kind in self._db.rows(
            "SELECT DISTINCT field.key, field.type FROM documents, json_each(documents.metadata) AS field "
            f"WHERE {self._visible} ORDER BY field.key, field.type"
        ):
            kinds.setdefault(key, []).append(kind)
        return kinds

    def counts(self) -> Counts:
        """Counts what is alive; reads every row."""
        ((documents, passages),) = self._db.rows(
            f"SELECT count(*), ifnull(sum(passages), 0) FROM documents WHERE {self._visible}"
        )
        languages = self._db.rows(
            "SELECT p.lang, count(*) FROM documents JOIN passages p "
            "ON p.number >= documents.first AND p.number < documents.first + documents.passages "
            f"WHERE {self._visible} GROUP BY p.lang ORDER BY p.lang"
        )
        return Counts(documents, passages, dict(languages))

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Of every live document, by ascending number: its number, its first passage's, how many passages."""
        last = -1
        while rows := self._db.rows(
            f"SELECT number, first, passages FROM documents WHERE number > ? AND {self._visible} "
            f"ORDER BY number LIMIT {PLACES}",
            (last,),
        ):
            yield from ((number, first, passages) for number, first, passages in rows)
            last = rows[-1][0]

    def sources(self) -> dict[str, SourceState]:
        """The files that documents came from, as they were when indexed."""
        rows = self._db.rows(
            "SELECT paths.path, size, mtime_ns, hash FROM sources JOIN paths ON paths.number = sources.path "
            f"WHERE {self._visible_sources} ORDER BY paths.path"
        )
        return {decode_path(path): SourceState(*state) for path, *state in rows}

    def _documents(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[StoredDocument]:
        """Complete rows of `_DOCUMENT`, in ascending number."""
        if not rows:
            return
        texts = self._texts([row[0] for row in rows])
        spans = self._spans(rows)
        paths = self._paths({row[5] for row in rows if row[5] is not None})
        for number, id, title, lang, metadata, source, first, passages in rows:
            own = spans.get(number, ())
            if len(own) != passages or number not in texts:
                raise IndexDamaged(f"{self._path}: document {id!r} is incomplete: run `xsearch check`")
            fields = self._metadata(metadata, number)
            yield StoredDocument(number, id, texts[number], title, lang, fields, paths.get(source), first, own)

    def _spans(self, rows: Sequence[tuple[Any, ...]]) -> dict[int, tuple[NewPassage, ...]]:
        start, end = rows[0][6], rows[-1][6] + rows[-1][7]
        found = self._db.rows(
            "SELECT document, start, end, lang, script, confidence FROM passages "
            "WHERE number >= ? AND number < ? ORDER BY number",
            (start, end),
        )
        return {
            document: tuple(NewPassage(*row[1:]) for row in group)
            for document, group in groupby(found, key=lambda row: row[0])
        }

    def _paths(self, numbers: set[int]) -> dict[int | None, str]:
        return {
            number: decode_path(path)
            for marks, piece in chunks(sorted(numbers))
            for number, path in self._db.rows(f"SELECT number, path FROM paths WHERE number IN ({marks})", piece)
        }

    def _texts(self, documents: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        # A decompressor is not thread-safe, and costs less than the statement.
        decompressor = zstandard.ZstdDecompressor()
        for marks, piece in chunks(documents):
            for number, frame in self._db.rows(f"SELECT document, text FROM texts WHERE document IN ({marks})", piece):
                try:
                    found[number] = decompressor.decompress(frame).decode("utf-8", "surrogatepass")
                except (zstandard.ZstdError, MemoryError, UnicodeDecodeError) as error:
                    raise IndexDamaged(
                        f"{self._path}: the text of document {number} was altered ({error}): run `xsearch check`"
                    ) from error
        return found

    def _metadata(self, stored: str, document: int) -> dict[str, Any]:
        try:
            return msgspec.json.decode(stored, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise IndexDamaged(
                f"{self._path}: the metadata of document {document} were altered ({error}): run `xsearch check`"
            ) from error

    def _passage(self, number: int, places: dict[int, tuple[Any, ...]], texts: dict[int, str]) -> StoredPassage:
        place = places.get(number)
        if place is None or place[0] not in texts:
            raise IndexDamaged(f"{self._path} holds no passage {number}: run `xsearch check`")
        document, id, title, metadata, ordinal, start, end, lang, script, confidence = place
        return StoredPassage(
            number,
            document,
            id,
            title,
            self._metadata(metadata, document),
            ordinal,
            start,
            end,
            lang,
            script,
            confidence,
            texts[document][start:end],
        )
