"""Who may write, and which generations are in use: advisory locks that die with their holder.

`flock` is released by the kernel when a process ends, however it ends, so a lock is never stale; what is written in
the file is only there to name the holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import msgspec

from xsearch.core import IndexLocked
from xsearch.storage.files import refusals

LOCK = "LOCK"


class Holder(msgspec.Struct, frozen=True):
    """Who holds an index for writing: process, host, command line, since when (ISO 8601)."""

    pid: int
    host: str
    command: str
    since: str


@contextlib.contextmanager
def write_lock(folder: Path, command: str, since: str) -> Iterator[None]:
    """Be the only writer of the index at `folder`, an existing folder, for the length of a with block.

    command, since: what to tell others. Raises `IndexLocked`, naming the holder, when another writer (also of this
    process) is at work.
    """
    path = folder / LOCK
    with refusals(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with refusals(path):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise IndexLocked(_message(folder, _read(path))) from None
            # Readers, who import this module too, need no network.
            import socket

            holder = Holder(os.getpid(), socket.gethostname(), command, since)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(holder), 0)
        yield
        # The file stays: removing it would let a third writer lock a new file beside a second's old one.
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def writer_of(folder: Path) -> Holder | None:
    """Who is writing the index at `folder` right now; None when nobody is. Writes nothing."""
    path = folder / LOCK
    return None if not path.is_file() or _free(path) else _read(path)


class GenerationHold:
    """Keeps a generation's folder from being removed while a reader reads it: a shared lock on the folder itself,
    which writes nothing. `close` lets go, and so does being forgotten: a snapshot that nobody searches any more."""

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, descriptor)
        # A file system without locks on folders: readers there must refresh before a compaction removes their files.
        # Waiting is for `in_use`, which looks for a moment.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go; twice is once."""
        self._close()


def in_use(folder: Path) -> bool:
    """Whether some reader holds the generation in `folder` (`GenerationHold`)."""
    return not _free(folder)


def _free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _read(path: Path) -> Holder | None:
    """The holder as written, None while it has not written yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def _message(folder: Path, holder: Holder | None) -> str:
    if holder is None:
        return f"the index {folder} is being written by another process: try again when it is done"
    return (
        f"the index {folder} is being written by process {holder.pid} on {holder.host} "
        f"(`{holder.command}`, since {holder.since}): wait until it is done, or stop it"
    )
