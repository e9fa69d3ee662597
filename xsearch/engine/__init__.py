"""`Index`, the only assembler: add, delete, search, commit, compact.

Names are loaded on first use: a query needs neither the readers of files nor what writes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xsearch.engine.compaction import compact
    from xsearch.engine.doctor import Finding, diagnose
    from xsearch.engine.index import Index, create_index, open_index
    from xsearch.engine.ingest import IngestOptions, IngestReport, Listener, index_paths
    from xsearch.engine.recipe import Recipe, known_recipes, load_recipe
    from xsearch.engine.search import SearchOptions
    from xsearch.engine.writer import IndexWriter

_PLACES = {
    "Finding": "doctor",
    "Index": "index",
    "IndexWriter": "writer",
    "IngestOptions": "ingest",
    "IngestReport": "ingest",
    "Listener": "ingest",
    "Recipe": "recipe",
    "SearchOptions": "search",
    "compact": "compaction",
    "create_index": "index",
    "diagnose": "doctor",
    "index_paths": "ingest",
    "known_recipes": "recipe",
    "load_recipe": "recipe",
    "open_index": "index",
}

__all__ = [
    "Finding",
    "Index",
    "IndexWriter",
    "IngestOptions",
    "IngestReport",
    "Listener",
    "Recipe",
    "SearchOptions",
    "compact",
    "create_index",
    "diagnose",
    "index_paths",
    "known_recipes",
    "load_recipe",
    "open_index",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'xsearch.engine' has no attribute '{name}'")
    return getattr(importlib.import_module(f"xsearch.engine.{_PLACES[name]}"), name)
