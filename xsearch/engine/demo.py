"""The collection that ships, as an index in a folder."""

from __future__ import annotations

from pathlib import Path

from xsearch.core.data import data_path
from xsearch.engine.index import Index, create_index, open_index
from xsearch.engine.ingest import index_paths
from xsearch.storage import has_index

DEMO = "eval/collections/demo"

QUESTIONS: tuple[tuple[str, list[str] | None], ...] = (
    ("presidential elections in Iran", None),
    ("Wie entsteht ein Erdbeben?", None),
    ("ミツバチと花粉", None),
    ("история шёлкового пути", ["zh", "fa", "ar", "tr", "it"]),
    ("renewable energy from the sun", ["hi", "el", "ko", "th"]),
)


def build_demo(folder: Path) -> Index:
    """Index the demo collection into `folder` (or bring the index there up to date) and open it."""
    index = open_index(folder) if has_index(folder) else create_index(folder)
    index_paths(index, [data_path(DEMO) / "docs.jsonl"])
    index.refresh()
    return index
