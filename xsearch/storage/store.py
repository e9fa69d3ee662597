"""The store, as its one writer sees it: documents, their text, passages, and the files they came from (D2).

Changes belong to a commit that is still to come; until the manifest names that commit no reader sees them, and
`recover` takes back what a writer left that did not get so far.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import zstandard

from xsearch.core import BadInput, Document, IndexDamaged
from xsearch.storage.failpoints import reach
from xsearch.storage.files import DiskFiles, Files, refusals
from xsearch.storage.records import Added, NewDocument, Removed, SourceState
from xsearch.storage.schema import (
    APPLICATION_ID,
    INDEXES,
    STORE_FORMAT,
    TABLES,
    chunks,
    decode_path,
    encode_path,
    ranges,
    row_checksum,
    store_errors,
    visible,
)

COMPRESSION_LEVEL = 1
"""zstd's fastest ordinary level: on passages of a few hundred characters higher ones save under 2 %."""
CACHE_KIB = 64 * 1024
BUSY_SECONDS = 30.0


class _Alive(NamedTuple):
    number: int
    first: int
    passages: int


class Store:
    """The writer of a `store.db`; the caller holds the index's write lock. One thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
        self._paths: dict[str, int] = {}
        self._next_document, self._next_passage = self._first_free_numbers()

    @staticmethod
    def create(path: Path) -> Store:
        """A new, empty store at `path`, durable when this returns. What a crash may have left there is removed: no
        manifest names it."""
        with refusals(path):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        with store_errors(path, writing=True):
            connection = _connect(path, "rwc")
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _make_tables(connection)
            connection.executescript(INDEXES)
        DiskFiles().sync_folder(path.parent)
        return Store(path, connection)

    @staticmethod
    def open(path: Path) -> Store:
        """The store at `path`; call `recover` before anything else. Raises `IndexDamaged` when there is none, or
        one of a newer format."""
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing: restore the index from a backup, or index the documents again")
        with store_errors(path, writing=True):
            connection = _connect(path, "rw")
            connection.execute("PRAGMA synchronous = FULL")
            counters = dict(connection.execute("SELECT name, value FROM counters"))
        if counters["format"] > STORE_FORMAT:
            connection.close()
            raise IndexDamaged(f"{path}: made by a newer xsearch (store format {counters['format']}): upgrade xsearch")
        return Store(path, connection)

    def recover(self, commit: int, high_water: int) -> int:
        """Go back to `commit`, whose manifest says `high_water`: rows added later go, rows removed later live again.
        Durable when it returns; returns how many documents went. Raises `IndexDamaged` when the store does not
        reach `commit`."""
        with store_errors(self._path, writing=True):
            reached = self._counter("commit")
            if reached < commit:
                raise IndexDamaged(
                    f"{self._path} holds commit {reached}, the manifest {commit}: restore the index from a backup"
                )
            reach("storage.recover.before")
            self._begin()
            ahead = self._documents_ahead(commit)
            if ahead:
                for table, column in (("texts", "document"), ("passages", "document"), ("documents", "number")):
                    self._delete_ahead(table, column, ahead[0], high_water)
            self._db.execute("UPDATE documents SET removed = NULL WHERE removed > ?", (commit,))
            self._db.execute("DELETE FROM sources WHERE added > ?", (commit,))
            self._db.execute("UPDATE sources SET removed = NULL WHERE removed > ?", (commit,))
            self._commit(commit)
            reach("storage.recover.after")
            self._next_document, after_last = self._first_free_numbers()
        if after_last > high_water:
            raise IndexDamaged(f"{self._path} holds passages past the manifest's {high_water}: run `xsearch check`")
        self._next_passage = high_water
        self._paths.clear()
        return len(ahead)

    def add(self, documents: Sequence[NewDocument], commit: int) -> Added:
        """Store `documents` as of `commit`. One whose id is alive, from before or from this batch, is replaced.

        Raises `BadInput` for an id that is not valid Unicode or metadata that is not JSON; nothing is stored then.
        """
        reach("storage.add.before")
        alive = self._alive([new.document.id for new in documents])
        dead: list[_Alive] = []
        numbers = np.arange(self._next_document, self._next_document + len(documents), dtype=np.int64)
        firsts = np.empty(len(documents), np.int64)
        rows: list[tuple[Any, ...]] = []
        texts: list[tuple[int, bytes]] = []
        passages: list[tuple[Any, ...]] = []
        with store_errors(self._path, writing=True):
            self._begin()
            next_passage = self._next_passage
            for at, new in enumerate(documents):
                number = self._next_document + at
                document = new.document
                firsts[at] = next_passage
                spans = [
                    (next_passage + ordinal, number, start, end, lang, script, float(confidence))
                    for ordinal, (start, end, lang, script, confidence) in enumerate(new.spans)
                ]
                rows.append(self._row(number, document, new.source, next_passage, spans, commit))
                texts.append((number, self._compressor.compress(document.text.encode("utf-8", "surrogatepass"))))
                passages += spans
                if document.id in alive:
                    dead.append(alive[document.id])
                alive[document.id] = _Alive(number, next_passage, len(spans))
                next_passage += len(spans)
            self._db.executemany("INSERT INTO documents VALUES (?,?,?,?,?,?,?,?,?,?,NULL)", rows)
            self._db.executemany("INSERT INTO texts VALUES (?,?)", texts)
            self._db.executemany("INSERT INTO passages VALUES (?,?,?,?,?,?,?)", passages)
            self._mark_removed(dead, commit)
        self._next_document += len(documents)
        self._next_passage = next_passage
        reach("storage.add.after")
        return Added(numbers, firsts, ranges((one.first, one.passages) for one in dead), len(dead))

    def remove(self, ids: Sequence[str], commit: int) -> Removed:
        """Mark documents as gone as of `commit`."""
        reach("storage.remove.before")
        with store_errors(self._path, writing=True):
            alive = self._alive(ids)
            found = [alive[id] for id in dict.fromkeys(ids) if id in alive]
            self._begin()
            self._mark_removed(found, commit)
        reach("storage.remove.after")
        return Removed(
            [id for id in dict.fromkeys(ids) if id not in alive], ranges((one.first, one.passages) for one in found)
        )

    def set_source(self, path: str, state: SourceState, commit: int) -> None:
        """Remember the file `path` as it was when its documents were stored."""
        with store_errors(self._path, writing=True):
            self._begin()
            number = self._path_number(path)
            self._db.execute("UPDATE sources SET removed = ? WHERE path = ? AND removed IS NULL", (commit, number))
            self._db.execute("INSERT INTO sources VALUES (?,?,?,?,?,NULL)", (number, *state, commit))

    def remove_source(self, path: str, commit: int) -> None:
        """Forget the file `path`; its documents stay until `remove` (see `ids_of_source`)."""
        with store_errors(self._path, writing=True):
            self._begin()
            number = self._path_number(path)
            self._db.execute("UPDATE sources SET removed = ? WHERE path = ? AND removed IS NULL", (commit, number))

    def sources(self) -> dict[str, SourceState]:
        """The files remembered, uncommitted changes included."""
        with store_errors(self._path, writing=False):
            rows = self._db.execute(
                "SELECT p.path, s.size, s.mtime_ns, s.hash FROM sources s JOIN paths p ON p.number = s.path "
                "WHERE s.removed IS NULL ORDER BY p.path"
            )
            return {decode_path(path): SourceState(*state) for path, *state in rows}

    def ids_of_source(self, path: str) -> list[str]:
        """Ids of the live documents that came from the file `path`, in the order they were stored."""
        with store_errors(self._path, writing=False):
            rows = self._db.execute(
                "SELECT d.id FROM documents d JOIN paths p ON p.number = d.source "
                "WHERE p.path = ? AND d.source IS NOT NULL AND d.removed IS NULL ORDER BY d.number",
                (encode_path(path),),
            )
            return [id for (id,) in rows]

    def commit(self, commit: int) -> None:
        """Make everything so far durable, as part of the commit numbered `commit`. Readers see it once a manifest
        says so; call it as often as the transaction grows large."""
        reach("storage.commit.before")
        with store_errors(self._path, writing=True):
            self._begin()
            self._commit(commit)
        reach("storage.commit.after")

    def close(self) -> None:
        """Let go of the file; what was not committed is taken back. Folds the write-ahead log into the store where
        no reader is in the way, so that the next reader finds one file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.rollback()
            self._db.execute("PRAGMA busy_timeout = 200")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _row(
        self,
        number: int,
        document: Document,
        source: str | None,
        first: int,
        spans: list[tuple[Any, ...]],
        commit: int,
    ) -> tuple[Any, ...]:
        try:
            metadata = msgspec.json.encode(document.metadata).decode() if document.metadata else "{}"
            document.id.encode()
        except UnicodeEncodeError:
            raise BadInput(f"document {document.id!r}: id or metadata holds half a surrogate pair") from None
        except (TypeError, OverflowError, RecursionError) as error:
            raise BadInput(f"document {document.id!r}: metadata cannot be written as JSON: {error}") from None
        title = document.title and document.title.encode("utf-8", "replace").decode()
        path = None if source is None else self._path_number(source)
        checksum = row_checksum(document.id, title, document.lang, metadata, path, first, spans)
        return (number, document.id, title, document.lang, metadata, path, first, len(spans), checksum, commit)

    def _alive(self, ids: Sequence[str]) -> dict[str, _Alive]:
        found: dict[str, _Alive] = {}
        if self._next_document == 0:
            return found
        for marks, piece in chunks(list(dict.fromkeys(ids))):
            rows = self._db.execute(
                f"SELECT id, number, first, passages FROM documents WHERE id IN ({marks}) AND removed IS NULL", piece
            )
            found.update((id, _Alive(*place)) for id, *place in rows)
        return found

    def _mark_removed(self, gone: Sequence[_Alive], commit: int) -> None:
        self._db.executemany(
            "UPDATE documents SET removed = ? WHERE number = ?", [(commit, one.number) for one in gone]
        )

    def _path_number(self, path: str) -> int:
        number = self._paths.get(path)
        if number is None:
            stored = encode_path(path)
            self._db.execute("INSERT OR IGNORE INTO paths (path) VALUES (?)", (stored,))
            ((number,),) = self._db.execute("SELECT number FROM paths WHERE path = ?", (stored,))
            self._paths[path] = number
        return int(number)

    def _documents_ahead(self, commit: int) -> list[int]:
        """Numbers of documents added after `commit`, ascending: numbers grow with commits, so they are the last."""
        ahead: list[int] = []
        for number, added in self._db.execute("SELECT number, added FROM documents ORDER BY number DESC"):
            if added <= commit:
                break
            ahead.append(number)
        return ahead[::-1]

    def _delete_ahead(self, table: str, column: str, first: int, high_water: int) -> None:
        # Passages are keyed by their own number; the manifest knows where the first one ahead stands.
        bound = f"number >= {high_water:d} AND " if table == "passages" else ""
        self._db.execute(f"DELETE FROM {table} WHERE {bound}{column} >= ?", (first,))

    def _first_free_numbers(self) -> tuple[int, int]:
        with store_errors(self._path, writing=False):
            floors = dict(self._db.execute("SELECT name, value FROM counters"))
            ((document, passage),) = self._db.execute(
                "SELECT (SELECT max(number) FROM documents), (SELECT max(number) FROM passages)"
            )
        after_document = 0 if document is None else document + 1
        after_passage = 0 if passage is None else passage + 1
        return max(after_document, floors["documents"]), max(after_passage, floors["passages"])

    def _counter(self, name: str) -> int:
        ((value,),) = self._db.execute("SELECT value FROM counters WHERE name = ?", (name,))
        return int(value)

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _commit(self, commit: int) -> None:
        self._db.execute("UPDATE counters SET value = ? WHERE name = 'commit'", (commit,))
        self._db.execute("COMMIT")


def copy_live(source: Path, target: Path, commit: int, high_water: int, files: Files) -> None:
    """Write what is alive at `commit` of the store `source` to a new store `target`, every number kept; durable when
    it returns. The numbers given so far, `high_water` for passages, are not given again."""
    target.unlink(missing_ok=True)
    with store_errors(target, writing=True), contextlib.closing(_connect(target, "rwc")) as db:
        # Nobody names the new file yet: a journal would only double the writing, a crash leaves it to be removed.
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        _make_tables(db)
        db.execute("ATTACH ? AS old", (f"{source.resolve().as_uri()}?mode=rw",))
        db.execute("BEGIN")
        alive = f"FROM old.documents AS documents WHERE {visible(commit)}"
        db.execute(f"INSERT INTO documents SELECT * {alive} ORDER BY number")
        db.execute("UPDATE documents SET removed = NULL WHERE removed IS NOT NULL")
        for table, key in (("texts", "document"), ("passages", "number")):
            db.execute(
                f"INSERT INTO {table} SELECT t.* FROM old.{table} AS t "
                f"JOIN documents ON documents.number = t.document ORDER BY t.{key}"
            )
        db.execute("INSERT INTO paths SELECT * FROM old.paths")
        db.execute(
            "INSERT INTO sources SELECT path, size, mtime_ns, hash, added, NULL FROM old.sources AS sources "
            f"WHERE {visible(commit, 'sources')}"
        )
        ((last,),) = db.execute(
            "SELECT max((SELECT value FROM old.counters WHERE name = 'documents'), "
            "(SELECT ifnull(max(number) + 1, 0) FROM old.documents))"
        )
        for name, value in (("documents", last), ("passages", high_water), ("commit", commit)):
            db.execute("UPDATE counters SET value = ? WHERE name = ?", (value, name))
        db.execute("COMMIT")
        db.executescript(INDEXES)
        db.execute("DETACH old")
        db.execute("PRAGMA journal_mode = WAL")
    reach("storage.copy.copied")
    files.sync(target)
    files.sync_folder(target.parent)
    reach("storage.copy.synced")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.executescript(TABLES)
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?)",
        [("format", STORE_FORMAT), ("commit", 0), ("documents", 0), ("passages", 0)],
    )
