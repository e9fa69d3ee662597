"""`Index`, the only assembler: add, delete, search, commit, compact."""

from xsearch.engine.compact import compact
from xsearch.engine.doctor import Finding, diagnose
from xsearch.engine.index import Index, create_index, open_index
from xsearch.engine.ingest import IngestOptions, IngestReport, index_paths
from xsearch.engine.recipe import Recipe, known_recipes, load_recipe
from xsearch.engine.search import SearchOptions
from xsearch.engine.writer import IndexWriter

__all__ = [
    "Finding",
    "Index",
    "IndexWriter",
    "IngestOptions",
    "IngestReport",
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
