"""A copy of an index while it is in use; the same call puts a copy back."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from xsearch.core import BadInput, IndexDamaged
from xsearch.storage.files import DiskFiles, Files
from xsearch.storage.manifest import STORE, FileEntry, Manifest, generation_folder, read_manifest, write_manifest
from xsearch.storage.readonly import ReadOnlyDatabase

CHUNK = 1 << 20


def backup(folder: Path, target: Path, files: Files | None = None) -> Manifest:
    """Copy the index at `folder`, as of its last commit, to `target`, a new or empty folder; returns its manifest.

    A writer may be at work. Every file is verified as it is copied, and the manifest comes last: a copy that was
    interrupted is no index. Raises `BadInput` when there is no index, or something is at `target`; `IndexDamaged`
    when a file is not what the manifest says.
    """
    files = files or DiskFiles()
    manifest = read_manifest(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target} is not empty: choose a new folder")
    if target.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{target} is within the index {folder}: choose a folder elsewhere")
    while True:
        try:
            _copy(folder, target, manifest, files)
            write_manifest(files, target, manifest)
            return manifest
        except BaseException as error:
            shutil.rmtree(target, ignore_errors=True)
            # A commit since may have removed files that only the former manifest names.
            latest = read_manifest(folder)
            if not isinstance(error, IndexDamaged) or latest.commit == manifest.commit:
                raise
            manifest = latest


def _copy(folder: Path, target: Path, manifest: Manifest, files: Files) -> None:
    store = generation_folder(folder, manifest.generation) / STORE
    with contextlib.closing(ReadOnlyDatabase(store, manifest.commit)) as database:
        generation = generation_folder(target, manifest.generation)
        files.make_folder(generation)
        database.copy_to(generation / STORE)
        files.sync(generation / STORE)
        for name, entry in manifest.files.items():
            files.make_folder((target / name).parent)
            files.write(target / name, _verified(folder / name, entry))
            files.sync(target / name)
    for place in {generation, *((target / name).parent for name in manifest.files)}:
        files.sync_folder(place)


def _verified(path: Path, entry: FileEntry) -> Iterator[bytes]:
    """The content of a file in pieces. Raises `IndexDamaged` at its end if it is not what `entry` says."""
    digest = hashlib.blake2b(digest_size=32)
    try:
        with path.open("rb") as stream:
            while piece := stream.read(CHUNK):
                digest.update(piece)
                yield piece
    except OSError as error:
        raise IndexDamaged(f"{path} cannot be read: {error.strerror}: run `xsearch check`") from error
    if digest.hexdigest() != entry.blake2b:
        raise IndexDamaged(f"{path} was altered: its checksum does not match: run `xsearch check`")
