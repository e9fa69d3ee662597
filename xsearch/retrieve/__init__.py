"""First-stage retrievers, one module each: the writer and the reader of its segments.

Terms and arrays are handed in; nothing here knows a language or a model.
"""

from xsearch.retrieve.bm25 import BM25, BM25Writer
from xsearch.retrieve.dense import Dense, DenseWriter

__all__ = ["BM25", "BM25Writer", "Dense", "DenseWriter"]
