"""Reading an SQLite file without ever writing beside it, while another process may write to it.

SQLite's readers in WAL mode create and change the files ``-wal`` and ``-shm``. To leave no trace, and to work on
read-only media, a store is read in the first of three ways that fits:

still   No write-ahead log, or an empty one: the file is opened as immutable.
aside   A log that nobody is writing to, as a writer that died leaves it: without shared memory, SQLite keeps an index
        of the log in its own. (Opening the shared memory read-only instead would leave a writer of the same process
        with read-only shared memory: SQLite has one per process.)
shared  A writer is at work: the ordinary way; the folder is being written to anyway.

In the first two, reads are optimistic: only when file and log are afterwards as they were before is the result used;
else it is read again in the way that fits then.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from xsearch.core import IndexDamaged
from xsearch.storage.lock import GenerationHold
from xsearch.storage.schema import connect, examine, store_errors

T = TypeVar("T")

GRAIN_SECONDS = 0.02
"""Longer than a tick of the clock that stamps files (at most 10 ms on Linux): once a file has been left alone for so
long, the next write to it gets another time."""

STILL = "mode=ro&immutable=1"
# Closing such a connection releases this process's POSIX locks on the file. A writer's are there to keep strangers from
# folding its log in; other writers of ours are kept out by `write_lock`.
ASIDE = "mode=ro&vfs=unix-none"
SHARED = "mode=ro"


class Stamp(NamedTuple):
    """What changes when a store is written to: inode, size and time of the file, size and time of its log (0 where
    there is none, or an empty one)."""

    inode: int
    size: int
    mtime_ns: int
    log_size: int
    log_mtime_ns: int


class ReadOnlyDatabase:
    """The store at `path` for a reader at `commit`. Thread-safe: one connection, one statement at a time.

    Holds the generation's folder, so that compaction leaves it in place until `close`. Raises `IndexDamaged` when
    the store is missing, unreadable, of a newer format, or older than `commit`.
    """

    def __init__(self, path: Path, commit: int) -> None:
        self._path = path
        self._commit = commit
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._stamp: Stamp | None = None
        self._refusal: sqlite3.Error | None = None
        self._writer_seen = False
        try:
            self._hold = GenerationHold(path.parent)
        except PermissionError as error:
            raise IndexDamaged(f"{path.parent}: {error.strerror}: ask its owner to let you read it") from error
        except OSError as error:
            raise IndexDamaged(f"{path.parent}: {error.strerror}: restore the index from a backup") from error
        try:
            with store_errors(path, writing=False):
                self._open()
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a SELECT. Raises sqlite3.OperationalError for a wrong statement."""
        return self._read(lambda connection: connection.execute(sql, parameters).fetchall())

    def copy_to(self, target: Path) -> None:
        """Write the whole database, as of now, to the file `target`."""

        def copy(connection: sqlite3.Connection) -> None:
            with contextlib.closing(sqlite3.connect(target)) as other:
                connection.backup(other)

        self._read(copy)

    def close(self) -> None:
        """Let go of the file; twice is once."""
        with self._lock:
            self._disconnect()
            self._hold.close()

    def __del__(self) -> None:
        # A connection is a reference cycle with its own cache: forgotten, it would keep its files until the collector
        # comes by, and one is forgotten at every refresh.
        with contextlib.suppress(AttributeError):
            self.close()

    def _read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, store_errors(self._path, writing=False):
            while True:
                connection = self._connection or self._open()
                try:
                    result = action(connection)
                except sqlite3.Error:
                    if self._undisturbed():
                        raise
                else:
                    if self._undisturbed():
                        return result
                self._writer_seen = True
                self._disconnect()

    def _open(self) -> sqlite3.Connection:
        """Connect in the first way that shows this reader's commit."""
        while True:
            stamp = _settled_stamp(self._path)
            if stamp is not None and not stamp.log_size:
                connection = self._attempt(STILL, stamp)
                if connection is None and self._undisturbed():
                    break
            else:
                quiet = stamp is not None and not self._writer_seen
                connection = (self._attempt(ASIDE, stamp) if quiet else None) or self._attempt(SHARED, None)
                if connection is None:
                    break
            if connection is not None:
                return connection
        raise IndexDamaged(
            f"{self._path} does not hold the manifest's commit {self._commit}: restore the index from a backup"
        ) from self._refusal

    def _attempt(self, way: str, stamp: Stamp | None) -> sqlite3.Connection | None:
        """A connection that shows this reader's commit, None where this way there is none."""
        self._disconnect()
        self._stamp = stamp
        self._refusal = None
        try:
            self._connection = connect(self._path, way, "EXCLUSIVE" if way == ASIDE else "NORMAL")
            if examine(self._connection, self._path)["commit"] >= self._commit:
                return self._connection
        except sqlite3.Error as error:
            self._refusal = error
        self._disconnect()
        return None

    def _undisturbed(self) -> bool:
        """Whether what was just read was read from a file that nobody was changing."""
        return self._stamp is None or self._stamp == _stamp(self._path)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _stamp(path: Path) -> Stamp | None:
    """None when the file is gone. By name only: opening and closing the file would release the locks that a writer
    in this process holds on it (POSIX locks belong to the process, not to the descriptor)."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    try:
        log = os.stat(f"{path}-wal")
    except FileNotFoundError:
        log = None
    if log is None or log.st_size == 0:
        return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, 0, 0)
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, log.st_size, log.st_mtime_ns)


def _settled_stamp(path: Path) -> Stamp | None:
    """A stamp that any later write will alter; None when the file will not rest. Waits at most 0.1 s."""
    for _ in range(5):
        stamp = _stamp(path)
        if stamp is None:
            raise IndexDamaged(f"{path} is missing: restore the index from a backup, or index the documents again")
        age = time.time() - max(stamp.mtime_ns, stamp.log_mtime_ns) / 1e9
        if not 0 <= age < GRAIN_SECONDS:
            return stamp
        time.sleep(GRAIN_SECONDS - age)
    return None
