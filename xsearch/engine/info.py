"""What an index holds, as plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import IndexDamaged
from xsearch.engine.index import Index
from xsearch.engine.snapshot import Snapshot
from xsearch.storage import PassageColumns, generation_folder, read_manifest


def describe(index: Index) -> dict[str, Any]:
    """Counts, recipe, encoder, commit; passages and documents by language; bytes by part."""
    snapshot = index.snapshot
    manifest = snapshot.manifest
    return {
        "documents": manifest.documents,
        "passages": manifest.passages,
        "dead passages": snapshot.columns.passages - manifest.passages,
        "recipe": snapshot.recipe.name,
        "retrievers": ", ".join(snapshot.retrievers),
        "encoder": (manifest.encoder or {}).get("name", "none"),
        "commit": manifest.commit,
        "generation": manifest.generation,
        "format": manifest.format,
        "created": manifest.created,
        "updated": manifest.updated,
        **_token_vectors(snapshot),
        "languages": _languages(snapshot),
        "questions": _questions(snapshot),
        "bytes": _bytes(index.path),
    }


def dead_passages(root: Path) -> int:
    """Passages that compaction would drop, of an index that need not be fit to be opened; 0 where its columns are not
    fit to be read either."""
    manifest = read_manifest(root)
    folder = generation_folder(root, manifest.generation)
    try:
        columns = PassageColumns.open(folder, manifest.columns, manifest.languages, manifest.high_water)
    except IndexDamaged:
        return 0
    return columns.passages - manifest.passages


def _languages(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Live passages and documents of each language, largest first. A document in two languages counts in both."""
    numbers = snapshot.columns.languages[: snapshot.manifest.high_water][snapshot.alive]
    documents = snapshot.columns.documents[: snapshot.manifest.high_water][snapshot.alive]
    counts = {}
    for number in np.unique(numbers):
        inside = numbers == number
        counts[snapshot.manifest.languages[number]] = {
            "passages": int(inside.sum()),
            "documents": len(np.unique(documents[inside])),
        }
    return dict(sorted(counts.items(), key=lambda item: (-item[1]["passages"], item[0])))


def _questions(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Questions generated from live passages, by language: how many, of how many passages, by which generators, and how
    many were dropped."""
    counts: dict[str, dict[str, Any]] = {}
    for made in snapshot.store.questions.counts():
        own = counts.setdefault(made.generator.lang, {"questions": 0, "passages": 0, "dropped": 0, "generators": []})
        own["questions"] += made.questions
        own["passages"] = max(own["passages"], made.passages)
        own["dropped"] += sum(made.dropped.values())
        if made.generator.name not in own["generators"]:
            own["generators"].append(made.generator.name)
    return dict(sorted(counts.items()))


def _token_vectors(snapshot: Snapshot) -> dict[str, str]:
    """How many vectors of tokens there are, and the bytes each takes with its share of lists and centroids."""
    state = snapshot.manifest.retrievers.get("colbert", {})
    tokens = sum(entry["tokens"] for entries in state.get("languages", {}).values() for entry in entries)
    if not tokens:
        return {}
    size = sum(entry.size for name, entry in snapshot.manifest.files.items() if name.split("/")[1] == "colbert")
    return {"token vectors": f"{tokens:,} of {size / tokens:.1f} bytes"}


def _bytes(root: Path) -> dict[str, int]:
    """Bytes on disk by part: the store, each retriever, the rest."""
    sizes: dict[str, int] = {}
    for path in root.rglob("*"):
        if path.is_file():
            inside = path.relative_to(root).parts
            part = inside[1] if len(inside) > 2 else "store" if path.name.startswith("store.db") else "other"
            sizes[part] = sizes.get(part, 0) + path.stat().st_size
    return dict(sorted(sizes.items())) | {"total": sum(sizes.values())}
