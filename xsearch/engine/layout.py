"""The first manifest of an index, and which of its files are still needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xsearch.core import BadInput
from xsearch.engine.recipe import Recipe, stored
from xsearch.storage import (
    STORE,
    Files,
    Liveness,
    Manifest,
    Store,
    generation_folder,
    has_index,
    hash_files,
    in_use,
    live_name,
    remove_folder,
    write_lock,
    write_manifest,
)
from xsearch.storage.lock import LOCK

STORE_FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm")


def new_index(
    files: Files, root: Path, recipe: Recipe, encoder: dict[str, Any] | None, command: str, now: str
) -> Manifest:
    """Make an empty index in `root`, a new or empty folder: commit 0 of generation 1. Durable when it returns.

    command, now: for the lock and the manifest. Raises `BadInput` when something else is there, `IndexLocked` when
    someone is making an index there.
    """
    if root.exists() and not root.is_dir():
        raise BadInput(f"{root} is a file: choose a folder for the index with -i")
    files.make_folder(root)
    with write_lock(root, command, now):
        if has_index(root):
            raise BadInput(f"there is an index at {root} already: open it, or choose another folder")
        generation = generation_folder(root, 1)
        foreign = sorted(path.name for path in root.iterdir() if path.name not in (LOCK, generation.name))
        if foreign:
            raise BadInput(f"{root} holds other files ({foreign[0]}): choose a new or empty folder with -i")
        files.make_folder(generation)
        Store.create(generation / STORE).close()
        live = live_name(0)
        Liveness.empty().write(files, generation / live)
        manifest = Manifest(
            commit=0,
            generation=1,
            high_water=0,
            documents=0,
            passages=0,
            languages=(),
            recipe=stored(recipe),
            encoder=encoder,
            analyzers={},
            retrievers={},
            live=live,
            columns={},
            files=hash_files(root, [f"{generation.name}/{live}"], {}),
            created=now,
            updated=now,
        )
        write_manifest(files, root, manifest)
        return manifest


def sweep_files(files: Files, root: Path, manifests: Sequence[Manifest]) -> None:
    """Remove files of the current generation that none of `manifests` names: segments merged away, old liveness.

    The last manifest but one is kept whole, so that a reader that has just read it finds its files.
    The store's files are never named.
    """
    kept = {str(root / name) for manifest in manifests for name in manifest.files}
    current = max(manifests, key=lambda manifest: manifest.commit)
    folder = generation_folder(root, current.generation)
    for path in sorted(folder.rglob("*")):
        in_store = path.parent == folder and path.name in STORE_FILES
        if path.is_file() and not in_store and str(path) not in kept:
            files.remove(path)


def sweep_generations(files: Files, root: Path, manifest: Manifest) -> None:
    """Remove generations that the manifest does not name and no reader holds."""
    current = generation_folder(root, manifest.generation)
    for folder in sorted(root.glob("gen-*")):
        if folder != current and not in_use(folder):
            remove_folder(files, folder)
