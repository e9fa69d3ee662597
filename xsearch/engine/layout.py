"""Which files of an index folder are still needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xsearch.storage import Files, Manifest, generation_folder, in_use, remove_folder

STORE_FILES = ("store.db", "store.db-wal", "store.db-shm")


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
