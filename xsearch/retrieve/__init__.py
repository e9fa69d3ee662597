"""First-stage retrievers, one module each: the writer and the reader of its segments.

Terms and arrays are handed in; nothing here knows a language or a model. `names` alone reads words, as spellings.
Names are loaded on first use: a search needs the retrievers of its recipe alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xsearch.retrieve.bm25 import BM25, BM25Writer
    from xsearch.retrieve.colbert import Colbert, ColbertWriter
    from xsearch.retrieve.dense import Dense, DenseWriter
    from xsearch.retrieve.evidence import Met, met_tokens
    from xsearch.retrieve.expected import ExpectedWriter
    from xsearch.retrieve.generated import Generated, GeneratedWriter
    from xsearch.retrieve.impact import Impact, ImpactWriter
    from xsearch.retrieve.lucene import Lucene, LuceneWriter
    from xsearch.retrieve.names import Names, NamesWriter
    from xsearch.retrieve.psq import PSQ
    from xsearch.retrieve.sparse import Sparse, SparseWriter
    from xsearch.retrieve.static_late import Late
    from xsearch.retrieve.tokens import TokensWriter

_PLACES = {
    "BM25": "bm25",
    "PSQ": "psq",
    "BM25Writer": "bm25",
    "Colbert": "colbert",
    "ColbertWriter": "colbert",
    "Dense": "dense",
    "DenseWriter": "dense",
    "ExpectedWriter": "expected",
    "Generated": "generated",
    "GeneratedWriter": "generated",
    "Impact": "impact",
    "ImpactWriter": "impact",
    "Late": "static_late",
    "Lucene": "lucene",
    "LuceneWriter": "lucene",
    "Met": "evidence",
    "Names": "names",
    "NamesWriter": "names",
    "Sparse": "sparse",
    "SparseWriter": "sparse",
    "TokensWriter": "tokens",
    "met_tokens": "evidence",
}

__all__ = [
    "BM25",
    "PSQ",
    "BM25Writer",
    "Colbert",
    "ColbertWriter",
    "Dense",
    "DenseWriter",
    "ExpectedWriter",
    "Generated",
    "GeneratedWriter",
    "Impact",
    "ImpactWriter",
    "Late",
    "Lucene",
    "LuceneWriter",
    "Met",
    "Names",
    "NamesWriter",
    "Sparse",
    "SparseWriter",
    "TokensWriter",
    "met_tokens",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'xsearch.retrieve' has no attribute '{name}'")
    return getattr(importlib.import_module(f"xsearch.retrieve.{_PLACES[name]}"), name)
