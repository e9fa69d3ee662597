"""First-stage retrievers, one module each: the writer and the reader of its segments.

Terms and arrays are handed in; nothing here knows a language or a model. `names` alone reads words, as spellings.
"""

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
