"""The tables of `store.db`, how a row is encoded, and what SQLite's errors mean.

Rows are versioned: `added` and `removed` hold the commit that made the change, and commit `c` sees the rows with
``added <= c AND (removed IS NULL OR removed > c)``. Only recovery and compaction delete.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core import CannotWrite, IndexDamaged, IndexLocked, IntArray, XSearchError

STORE_FORMAT = 2
"""The newest format read. A store is of format 1 until it holds generated questions (`storage.generated`)."""
APPLICATION_ID = 0x58534348
"""SQLite's application_id, "XSCH": what `file` shows."""

TABLES = """
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    title TEXT,
    lang TEXT,
    metadata TEXT NOT NULL,
    source INTEGER,
    first INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER
);
CREATE TABLE texts (document INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,
    document INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    lang TEXT NOT NULL,
    script TEXT NOT NULL,
    confidence REAL NOT NULL
);
CREATE TABLE paths (number INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE sources (
    path INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    hash TEXT NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""

INDEXES = """
CREATE INDEX document_id ON documents (id);
CREATE INDEX document_source ON documents (source) WHERE source IS NOT NULL AND removed IS NULL;
CREATE INDEX document_removed ON documents (removed) WHERE removed IS NOT NULL;
CREATE INDEX source_path ON sources (path);
"""

AUGMENTED = """
CREATE TABLE generators (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    lang TEXT NOT NULL,
    settings TEXT NOT NULL,
    UNIQUE (name, fingerprint, lang, settings)
);
CREATE TABLE generated (
    passage INTEGER NOT NULL,
    generator INTEGER NOT NULL,
    text TEXT NOT NULL,
    weight REAL NOT NULL,
    checksum INTEGER NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER
);
CREATE TABLE generation_runs (
    generator INTEGER NOT NULL,
    through INTEGER NOT NULL,
    dropped TEXT NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER
);
CREATE INDEX generated_passage ON generated (passage);
"""
"""What format 2 has besides."""

PAGE_BYTES = 8192
CACHE_KIB = 64 * 1024
BUSY_SECONDS = 30.0
CHUNK = 500
"""Parameters bound to one statement: within every build's limit, and few enough that its plan stays cached."""


def connect(path: Path, how: str, locking_mode: str = "NORMAL") -> sqlite3.Connection:
    """A connection to the file `path`, opened as the URI parameters `how` say, in autocommit mode; the caller sees to
    it that one thread at a time uses it."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # First, since the other reads the file, and how a log is read is settled then.
        connection.execute(f"PRAGMA locking_mode = {locking_mode}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def make_tables(connection: sqlite3.Connection) -> None:
    """Fill an empty file. The indexes (`INDEXES`) are for the caller to make, last where many rows come first."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.executescript(TABLES)
    counters = {"format": 1, "commit": 0, "documents": 0, "passages": 0}
    connection.executemany("INSERT INTO counters VALUES (?, ?)", counters.items())


def examine(connection: sqlite3.Connection, path: Path) -> dict[str, int]:
    """The counters of the store `path`, by name. Raises `IndexDamaged` when it is of a newer format, or when its
    tables are not those above."""
    counters = dict(connection.execute("SELECT name, value FROM counters"))
    if counters.keys() < {"format", "commit", "documents", "passages"} or set(map(type, counters.values())) != {int}:
        raise IndexDamaged(f"{path}: its counters were altered: restore the index from a backup")
    if counters["format"] > STORE_FORMAT:
        raise IndexDamaged(f"{path}: made by a newer xsearch (store format {counters['format']}): upgrade xsearch")
    tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if tables != set(statements(TABLES + INDEXES + (AUGMENTED if counters["format"] > 1 else ""))):
        raise IndexDamaged(f"{path}: its tables were altered: restore the index from a backup")
    return counters


def statements(script: str) -> list[str]:
    """The statements of a script such as those above."""
    return [statement.strip() for statement in script.split(";") if statement.strip()]


def visible(commit: int, table: str = "documents") -> str:
    """The SQL condition for the rows of `table` that a reader at `commit` sees."""
    return f"({table}.added <= {commit:d} AND ({table}.removed IS NULL OR {table}.removed > {commit:d}))"


def chunks(values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    """`values` in pieces that a statement can bind, each with its list of placeholders: ``("?,?,?", piece)``."""
    for at in range(0, len(values), CHUNK):
        piece = values[at : at + CHUNK]
        yield ",".join("?" * len(piece)), piece


def ranges(spans: Iterable[tuple[int, int]]) -> IntArray:
    """The passage numbers in ``[first, first + count)`` of each (first, count), int64, in that order."""
    pieces = [np.arange(first, first + count, dtype=np.int64) for first, count in spans]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)


def row_checksum(
    id: str,
    title: str | None,
    lang: str | None,
    metadata: str,
    source: int | None,
    first: int,
    passages: Sequence[tuple[Any, ...]],
) -> int:
    """CRC-32 over a document's row and its passages' rows (as in the table), so that a changed byte shows. The text
    has a checksum of its own, in its zstd frame."""
    return zlib.crc32(msgspec.json.encode((id, title, lang, metadata, source, first, passages)))


def encode_path(path: str) -> bytes:
    """File names need not be valid Unicode; Python shows the stray bytes as surrogates, kept as they are."""
    return path.encode("utf-8", "surrogatepass")


def decode_path(stored: bytes) -> str:
    """The inverse of `encode_path`."""
    return stored.decode("utf-8", "surrogatepass")


@contextlib.contextmanager
def store_errors(path: Path, *, writing: bool) -> Iterator[None]:
    """Turn what SQLite raises over the file `path` into errors of ours; a wrong statement stays a sqlite3.Error."""
    try:
        yield
    except sqlite3.Error as error:
        meaning = _meaning(error, path, writing)
        if meaning is None:
            raise
        raise meaning from error


def _meaning(error: sqlite3.Error, path: Path, writing: bool) -> XSearchError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode" in str(error):
        return IndexDamaged(f"{path}: {error}: run `xsearch check`, or restore the index from a backup")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexLocked(f"{path} is busy in another process: try again")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        if writing:
            return CannotWrite(
                f"cannot write {path}: {error}. Free some disk space or check permissions and run the command again; "
                "what was committed before is unharmed"
            )
        return IndexDamaged(f"cannot read {path}: {error}: run `xsearch check`")
    return None
