"""A disk that forgets, at a power cut, all that was not synced.

Real files lie on the real disk, so that SQLite, tantivy and memory maps work on them; what would survive is kept
beside in memory. A file's bytes survive from `sync` on, a name (given, moved or removed) from `sync_folder` of its
folder on. Files written by other means (SQLite's, tantivy's) sync themselves and are left as they are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash


@dataclass(eq=False)
class Inode:
    """durable: the bytes that survive. written: the bytes that a program reads now."""

    durable: bytes
    written: bytes


class LossyFiles:
    """`Files` over the real disk. crash_at: raise `Crash` instead of the operation of this index (0 the first)."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.operations = 0
        self._crash_at = crash_at
        self._disk = DiskFiles()
        self._current: dict[Path, Inode] = {}
        self._durable: dict[Path, Inode | None] = {}
        self._pending: dict[Path, list[dict[Path, Inode | None]]] = {}

    def write(self, path: Path, data: bytes | Iterable[bytes]) -> None:
        self._step()
        known = self._adopt(path)
        self._disk.write(path, data)
        if known is None:
            known = self._current[path] = Inode(b"", b"")
            self._later(path.parent, {path: known})
        known.written = path.read_bytes()

    def sync(self, path: Path) -> None:
        self._step()
        inode = self._current.get(path)
        if inode is not None:
            inode.durable = inode.written = path.read_bytes()

    def sync_folder(self, path: Path) -> None:
        self._step()
        for change in self._pending.pop(path, []):
            self._durable.update(change)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        moved = self._adopt(source)
        self._adopt(target)
        self._disk.replace(source, target)
        assert moved is not None
        del self._current[source]
        self._current[target] = moved
        self._later(target.parent, {source: None, target: moved})

    def remove(self, path: Path) -> None:
        self._step()
        self._adopt(path)
        self._disk.remove(path)
        if self._current.pop(path, None) is not None:
            self._later(path.parent, {path: None})

    def make_folder(self, path: Path) -> None:
        self._step()
        self._disk.make_folder(path)

    def power_cut(self, seed: int | None = None) -> None:
        """Leave on disk what survives. Without a seed all that was not synced is lost; with one some of it stays:
        of a folder's changes the first few, of a file's bytes a beginning, followed by zeros."""
        chance = None if seed is None else random.Random(seed)
        for changes in self._pending.values():
            kept = 0 if chance is None else chance.randint(0, len(changes))
            for change in changes[:kept]:
                self._durable.update(change)
        for path, inode in self._durable.items():
            if inode is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_survivor(inode, chance))
        for path in self._current.keys() - self._durable.keys():
            path.unlink(missing_ok=True)
        self._current, self._durable, self._pending = {}, {}, {}

    def _step(self) -> None:
        if self.operations == self._crash_at:
            raise Crash
        self.operations += 1

    def _adopt(self, path: Path) -> Inode | None:
        """The inode at `path`; one that was there before we looked is durable."""
        if path not in self._current and path not in self._durable and path.is_file():
            content = path.read_bytes()
            self._current[path] = self._durable[path] = Inode(content, content)
        return self._current.get(path)

    def _later(self, folder: Path, change: dict[Path, Inode | None]) -> None:
        self._pending.setdefault(folder, []).append(change)


class ForgetfulFiles(LossyFiles):
    """A mutant that never syncs bytes: what tests of durability must catch."""

    def sync(self, path: Path) -> None:
        self._step()


class NamelessFiles(LossyFiles):
    """A mutant that never syncs folders."""

    def sync_folder(self, path: Path) -> None:
        self._step()


def _survivor(inode: Inode, chance: random.Random | None) -> bytes:
    if chance is None or inode.written == inode.durable or chance.random() < 0.3:
        return inode.durable
    kept = chance.randint(0, len(inode.written))
    return inode.written[:kept] + bytes(len(inode.written) - kept)
