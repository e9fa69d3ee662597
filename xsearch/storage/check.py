"""Whether an index is whole: every file's checksum, every row's, and whether the parts agree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from xsearch.core import Mask, XSearchError
from xsearch.storage.columns import PassageColumns
from xsearch.storage.liveness import Liveness
from xsearch.storage.lock import LOCK
from xsearch.storage.manifest import MANIFEST, STORE, FileEntry, Manifest, file_entry, generation_folder, read_manifest
from xsearch.storage.reader import StoreReader
from xsearch.storage.rows import store_problems


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file. `error`: the index is damaged. `note`: a leftover, harmless."""

    path: str
    message: str
    level: Literal["error", "note"] = "error"


def hash_files(folder: Path, names: Iterable[str], previous: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    """Size and checksum of the files `names`, paths relative to the index folder. A file that a manifest has named
    never changes, so one of `previous` (the last manifest's) that has its size is not read again."""
    entries = {}
    for name in sorted(names):
        known = previous.get(name)
        unchanged = known is not None and (folder / name).stat().st_size == known.size
        entries[name] = known if known is not None and unchanged else file_entry(folder / name)
    return entries


def check_index(folder: Path) -> list[Problem]:
    """`verify` for an index that may be in use: starts again when a commit came between. Raises as `read_manifest`."""
    manifest = read_manifest(folder)
    while True:
        problems = verify(folder, manifest)
        latest = read_manifest(folder)
        if latest.commit == manifest.commit:
            return problems
        manifest = latest


def verify(folder: Path, manifest: Manifest) -> list[Problem]:
    """All that is wrong with the index at `folder`, errors first; empty when it is whole. Files that the commit before
    named are in order. Reads everything, writes nothing."""
    generation = generation_folder(folder, manifest.generation)
    problems = [problem for name, entry in manifest.files.items() if (problem := _changed(folder, name, entry))]
    try:
        rows = store_problems(generation / STORE, manifest.commit)
        problems += [Problem(f"{generation.name}/{STORE}", message) for message in rows]
        if not problems:
            problems += _disagreements(generation, manifest)
    except XSearchError as error:
        problems.append(Problem(f"{generation.name}/{STORE}", str(error)))
    leftover = "no part of the index: a leftover, removed by the next writer"
    # Beside its own files a generation keeps those of the commit before, for readers that have just opened it.
    left = [name for name in strays(folder, manifest) if not name.startswith(f"{generation.name}/")]
    return problems + [Problem(name, leftover, "note") for name in left]


def strays(folder: Path, manifest: Manifest) -> list[str]:
    """Files under `folder`, as paths relative to it, that `manifest` does not name: left by a crash, or by a commit
    for readers of an earlier one. Locks, and SQLite's files beside the store, are none."""
    generation = generation_folder(folder, manifest.generation).name
    own = {MANIFEST, LOCK} | {f"{generation}/{STORE}{suffix}" for suffix in ("", "-wal", "-shm")} | set(manifest.files)
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in own and not name.endswith(".lock"))


def _changed(folder: Path, name: str, entry: FileEntry) -> Problem | None:
    try:
        found = file_entry(folder / name)
    except OSError as error:
        return Problem(name, f"cannot be read: {error.strerror}")
    if found.size != entry.size:
        return Problem(name, f"has {found.size} bytes, not {entry.size}")
    return None if found == entry else Problem(name, "was altered: its checksum does not match")


def _disagreements(generation: Path, manifest: Manifest) -> list[Problem]:
    """Where store, manifest, liveness and columns, each whole, say different things."""
    problems = []
    live = Liveness.open(generation / manifest.live)
    columns = PassageColumns.open(generation, manifest.columns, manifest.languages, manifest.high_water)
    alive = np.zeros(manifest.high_water, np.bool_)
    documents = np.full(manifest.high_water, -1, np.int64)
    total = 0
    with contextlib.closing(StoreReader(generation / STORE, manifest.commit)) as reader:
        for number, first, passages in reader.places():
            alive[first : first + passages] = True
            documents[first : first + passages] = number
            total += 1
    if total != manifest.documents:
        problems.append(Problem(STORE, f"holds {total} live documents; the manifest says {manifest.documents}"))
    if _count(alive) != manifest.passages:
        problems.append(Problem(STORE, f"holds {_count(alive)} live passages; the manifest says {manifest.passages}"))
    if not np.array_equal(alive, live.mask()):
        problems.append(Problem(manifest.live, "is about other passages than those alive in the store"))
    elif not np.array_equal(columns.documents[alive], documents[alive]):
        problems.append(Problem("columns", "name other documents than the store"))
    return problems


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))
