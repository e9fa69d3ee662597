"""The store, as its one writer sees it: documents, their text, passages, and the files they came from (D2).

Changes belong to a commit that is still to come; until the manifest names that commit no reader sees them, and
`recover` takes back what a writer left that did not get so far.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import zstandard

from xsearch.core import BadInput, CannotWrite, Document, IndexDamaged
from xsearch.storage.failpoints import reach
from xsearch.storage.files import DiskFiles, refusals
from xsearch.storage.generated import QuestionWriter
from xsearch.storage.records import Added, NewDocument, Removed, SourceState
from xsearch.storage.schema import (
    INDEXES,
    chunks,
    connect,
    decode_path,
    encode_path,
    examine,
    make_tables,
    ranges,
    row_checksum,
    store_errors,
)

COMPRESSION_LEVEL = 1
"""zstd's fastest ordinary level: on passages of a few hundred characters higher ones save under 2 %."""


class _Alive(NamedTuple):
    number: int
    first: int
    passages: int


class Store:
    """The writer of a `store.db`; the caller holds the index's write lock. One thread at a time.

    Once a change has failed (a full disk), every further one raises `CannotWrite`: half of it may be missing.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection
        self._failed = False
        self._compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
        self._paths: dict[str, int] = {}
        self.questions = QuestionWriter(connection, self._writing)
        self._next_document, self._next_passage = self._first_free_numbers()

    @staticmethod
    def create(path: Path) -> Store:
        """A new, empty store at `path`, durable when this returns. What a crash may have left there is removed: no
        manifest names it."""
        with refusals(path):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        with store_errors(path, writing=True):
            connection = connect(path, "mode=rwc")
            make_tables(connection)
            connection.executescript(INDEXES)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        DiskFiles().sync_folder(path.parent)
        return Store(path, connection)

    @staticmethod
    def open(path: Path) -> Store:
        """The store at `path`; call `recover` before anything else. Raises `IndexDamaged` when there is none, or
        one of a newer format."""
        if not path.is_file():
            raise IndexDamaged(f"{path} is missing: restore the index from a backup, or index the documents again")
        with store_errors(path, writing=True):
            connection = connect(path, "mode=rw")
            try:
                connection.execute("PRAGMA synchronous = FULL")
                examine(connection, path)
            except BaseException:
                connection.close()
                raise
        return Store(path, connection)

    def recover(self, commit: int, high_water: int) -> int:
        """Go back to `commit`, whose manifest says `high_water`: rows added later go, rows removed later live again.
        Durable when it returns; returns how many documents went. Raises `IndexDamaged` when the store does not
        reach `commit`."""
        with store_errors(self._path, writing=False):
            reached = examine(self._db, self._path)["commit"]
        if reached < commit:
            raise IndexDamaged(
                f"{self._path} holds commit {reached}, the manifest {commit}: restore the index from a backup"
            )
        reach("storage.recover.before")
        gone = self._take_back(commit, high_water) if reached > commit else 0
        reach("storage.recover.after")
        self._next_document, after_last = self._first_free_numbers()
        if after_last > high_water:
            raise IndexDamaged(f"{self._path} holds passages past the manifest's {high_water}: run `xsearch check`")
        self._next_passage = high_water
        return gone

    def add(self, documents: Sequence[NewDocument], commit: int) -> Added:
        """Store `documents` as of `commit`. One whose id is alive, from before or from this batch, is replaced.

        Raises `BadInput` for an id that is not valid Unicode or metadata that is not JSON; nothing is stored then.
        """
        reach("storage.add.before")
        metadata = [_encode_metadata(new.document) for new in documents]
        numbers = np.arange(self._next_document, self._next_document + len(documents), dtype=np.int64)
        firsts = np.empty(len(documents), np.int64)
        rows: list[tuple[Any, ...]] = []
        texts: list[tuple[int, bytes]] = []
        passages: list[tuple[Any, ...]] = []
        dead: list[_Alive] = []
        next_passage = self._next_passage
        with self._writing():
            alive = self._alive([new.document.id for new in documents])
            for at, (document, spans, source) in enumerate(documents):
                number, firsts[at] = self._next_document + at, next_passage
                own = [
                    (next_passage + ordinal, number, start, end, lang, script, float(confidence))
                    for ordinal, (start, end, lang, script, confidence) in enumerate(spans)
                ]
                title = document.title and document.title.encode("utf-8", "replace").decode()
                described = (document.id, title, document.lang, metadata[at], self._path_number(source), next_passage)
                rows.append((number, *described, len(own), row_checksum(*described, own), commit))
                texts.append((number, self._compressor.compress(document.text.encode("utf-8", "surrogatepass"))))
                passages += own
                if document.id in alive:
                    dead.append(alive[document.id])
                alive[document.id] = _Alive(number, next_passage, len(own))
                next_passage += len(own)
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
        wanted = list(dict.fromkeys(ids))
        with self._writing():
            alive = self._alive(wanted)
            found = [alive[id] for id in wanted if id in alive]
            self._mark_removed(found, commit)
        reach("storage.remove.after")
        missing = [id for id in wanted if id not in alive]
        return Removed(missing, ranges((one.first, one.passages) for one in found))

    def set_source(self, path: str, state: SourceState, commit: int) -> None:
        """Remember the file `path` as it was when its documents were stored."""
        self.remove_source(path, commit)
        with self._writing():
            number = self._path_number(path)
            self._db.execute("INSERT INTO sources VALUES (?,?,?,?,?,NULL)", (number, *state, commit))

    def remove_source(self, path: str, commit: int) -> None:
        """Forget the file `path`; its documents stay until `remove` (see `ids_of_source`)."""
        with self._writing():
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

    def documented_sources(self) -> set[str]:
        """The files that live documents came from, whether `set_source` was reached for them or not."""
        with store_errors(self._path, writing=False):
            rows = self._db.execute(
                "SELECT path FROM paths WHERE number IN "
                "(SELECT DISTINCT source FROM documents WHERE source IS NOT NULL AND removed IS NULL)"
            )
            return {decode_path(path) for (path,) in rows}

    def former_sources(self, ids: Sequence[str]) -> set[str]:
        """The files whose documents of these ids were replaced or removed, as far back as the last compaction."""
        found: set[str] = set()
        with store_errors(self._path, writing=False):
            for marks, piece in chunks(ids):
                rows = self._db.execute(
                    "SELECT DISTINCT p.path FROM documents d JOIN paths p ON p.number = d.source "
                    f"WHERE d.id IN ({marks}) AND d.removed IS NOT NULL",
                    piece,
                )
                found.update(decode_path(path) for (path,) in rows)
        return found

    def commit(self, commit: int) -> None:
        """Make everything so far durable, as part of the commit numbered `commit`. Readers see it once a manifest
        says so; call it as often as the transaction grows large."""
        reach("storage.commit.before")
        with self._writing():
            self._set_commit(commit)
        reach("storage.commit.after")

    def close(self) -> None:
        """Let go of the file; what was not committed is taken back. Folds the write-ahead log into the store where
        no reader is in the way, so that the next reader finds one file."""
        with contextlib.suppress(sqlite3.Error):
            self._db.rollback()
            self._db.execute("PRAGMA busy_timeout = 200")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A change, within the transaction that `commit` ends. One that fails takes the transaction with it."""
        if self._failed:
            raise CannotWrite(f"{self._path}: an earlier change failed: close this writer and open another")
        try:
            with store_errors(self._path, writing=True):
                if not self._db.in_transaction:
                    self._db.execute("BEGIN IMMEDIATE")
                yield
        except BaseException:
            self._failed = True
            raise

    def _set_commit(self, commit: int) -> None:
        self._db.execute("UPDATE counters SET value = ? WHERE name = 'commit'", (commit,))
        self._db.execute("COMMIT")

    def _take_back(self, commit: int, high_water: int) -> int:
        with self._writing():
            ahead = self._documents_ahead(commit)
            if ahead:
                self._db.execute("DELETE FROM texts WHERE document >= ?", (ahead[-1],))
                self._db.execute("DELETE FROM passages WHERE number >= ? AND document >= ?", (high_water, ahead[-1]))
                self._db.execute("DELETE FROM documents WHERE number >= ?", (ahead[-1],))
            self._db.execute("UPDATE documents SET removed = NULL WHERE removed > ?", (commit,))
            self._db.execute("DELETE FROM sources WHERE added > ?", (commit,))
            self._db.execute("UPDATE sources SET removed = NULL WHERE removed > ?", (commit,))
            self.questions.take_back(commit)
            self._set_commit(commit)
        return len(ahead)

    def _documents_ahead(self, commit: int) -> list[int]:
        """Numbers of documents added after `commit`, descending: numbers grow with commits, so they are the last."""
        ahead: list[int] = []
        for number, added in self._db.execute("SELECT number, added FROM documents ORDER BY number DESC"):
            if added <= commit:
                break
            ahead.append(number)
        return ahead

    def _alive(self, ids: Sequence[str]) -> dict[str, _Alive]:
        found: dict[str, _Alive] = {}
        if self._next_document == 0:
            return found
        for marks, piece in chunks(ids):
            rows = self._db.execute(
                f"SELECT id, number, first, passages FROM documents WHERE id IN ({marks}) AND removed IS NULL", piece
            )
            found.update((id, _Alive(*place)) for id, *place in rows)
        return found

    def _mark_removed(self, gone: Sequence[_Alive], commit: int) -> None:
        changes = [(commit, one.number) for one in gone]
        self._db.executemany("UPDATE documents SET removed = ? WHERE number = ?", changes)

    def _path_number(self, path: str | None) -> int | None:
        if path is None:
            return None
        number = self._paths.get(path)
        if number is None:
            stored = encode_path(path)
            self._db.execute("INSERT OR IGNORE INTO paths (path) VALUES (?)", (stored,))
            ((number,),) = self._db.execute("SELECT number FROM paths WHERE path = ?", (stored,))
            self._paths[path] = number
        return number

    def _first_free_numbers(self) -> tuple[int, int]:
        """Of documents and of passages. Numbers are not used again after compaction: the counters remember."""
        with store_errors(self._path, writing=False):
            ((document, passage),) = self._db.execute(
                "SELECT (SELECT ifnull(max(number) + 1, 0) FROM documents), "
                "(SELECT ifnull(max(number) + 1, 0) FROM passages)"
            )
            counters = examine(self._db, self._path)
        return max(document, counters["documents"]), max(passage, counters["passages"])


def _encode_metadata(document: Document) -> str:
    try:
        f"{document.id}{document.lang}".encode()
        return msgspec.json.encode(dict(document.metadata)).decode() if document.metadata else "{}"
    except UnicodeEncodeError:
        raise BadInput(f"document {document.id!r}: id, lang or metadata holds half a surrogate pair") from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadInput(f"document {document.id!r}: metadata cannot be written as JSON: {error}") from None
