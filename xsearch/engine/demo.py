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
    ("where the Danube begins in the Black Forest", None),
    ("первые люди на поверхности Луны в 1969 году", None),
    ("viaje de Marco Polo desde Venecia", None),
    ("the rains of the monsoon", ["hi", "ta", "ur", "bn"]),
)
"""What `xsearch demo` asks, and the languages it wants documents in (None: any)."""


def build_demo(folder: Path) -> Index:
    """Index the demo collection into `folder` (or bring the index there up to date) and open it."""
    index = open_index(folder) if has_index(folder) else create_index(folder)
    index_paths(index, [data_path(DEMO) / "docs.jsonl"])
    index.refresh()
    return index
