"""The file layer: how anything of ours comes to be on disk, and stays there when the power goes.

A file's bytes are safe after `sync`, its name (new, renamed or removed) after `sync_folder` of the folder it stands
in; one without the other loses it. `durable_write` is the whole sequence. SQLite and tantivy sync their own files.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from xsearch.core import CannotWrite
from xsearch.storage.failpoints import reach

BESIDE = ".new"
"""What a file is called until it is complete: its name with this appended."""


class Files(Protocol):
    """What the storage asks of a file system. Every method raises `CannotWrite` when the disk refuses."""

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """Make `path` hold `data` (whole, or in chunks); not durable yet."""

    def sync(self, path: Path) -> None:
        """Make the bytes of the file `path` durable."""

    def sync_folder(self, path: Path) -> None:
        """Make the names in the folder `path` durable."""

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, atomically taking the place of `target`; not durable yet."""

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder, not durable yet; no error when it is absent."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it; durable when it returns; no error when it exists."""


class DiskFiles:
    """`Files` on the real disk."""

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        """A stream straight to the file."""
        with refusals(path), path.open("wb") as stream:
            if isinstance(data, bytes):
                stream.write(data)
            else:
                stream.writelines(data)

    def sync(self, path: Path) -> None:
        """fsync of the file."""
        _sync(path)

    def sync_folder(self, path: Path) -> None:
        """fsync of the folder."""
        _sync(path)

    def replace(self, source: Path, target: Path) -> None:
        """rename(2)."""
        with refusals(target):
            source.replace(target)

    def remove(self, path: Path) -> None:
        """unlink or rmdir."""
        with refusals(path), contextlib.suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()

    def make_folder(self, path: Path) -> None:
        """mkdir, and fsync of every folder that got a new one."""
        with refusals(path):
            missing = [folder for folder in (path, *path.parents) if not folder.exists()]
            path.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            _sync(folder.parent)


def durable_write(files: Files, path: Path, data: bytes | Iterable[bytes]) -> None:
    """Make `path` hold `data` for good, or leave what it held: written beside, synced, renamed, folder synced.

    Nobody ever sees part of it. When the disk refuses, the part written is removed again and `CannotWrite` raised.
    """
    beside = path.with_name(path.name + BESIDE)
    try:
        files.write(beside, data)
        reach("storage.write.beside")
        files.sync(beside)
        reach("storage.write.synced")
        files.replace(beside, path)
    except CannotWrite:
        with contextlib.suppress(CannotWrite):
            files.remove(beside)
        raise
    reach("storage.write.replaced")
    files.sync_folder(path.parent)


def remove_folder(files: Files, folder: Path) -> None:
    """Remove a folder with all it holds. Not atomic: for folders that no manifest names."""
    for path in sorted(folder.rglob("*"), reverse=True):
        files.remove(path)
    files.remove(folder)
    files.sync_folder(folder.parent)


_REFUSALS = {
    errno.ENOSPC: "the disk is full: free some space and run the command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the command again",
    errno.EFBIG: "the file would be larger than this file system allows",
    errno.EROFS: "the file system is read-only: choose another folder with -i",
    errno.EACCES: "permission denied: choose another folder with -i or change its permissions",
    errno.EPERM: "permission denied: choose another folder with -i or change its permissions",
    errno.ENOLCK: "the file system has no locks: choose a folder on a local disk with -i",
    errno.EOPNOTSUPP: "the file system has no locks: choose a folder on a local disk with -i",
    errno.EIO: "the disk reported an error: check the disk",
}


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write `path` into `CannotWrite`; other errors pass."""
    try:
        yield
    except OSError as error:
        reason = _REFUSALS.get(error.errno or 0)
        if reason is None:
            raise
        raise CannotWrite(f"cannot write {path}: {reason}. What was committed before is unharmed") from error


def _sync(path: Path) -> None:
    with refusals(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
