"""Late interaction over token vectors (ColBERT: Khattab and Zaharia 2020) in an index of our own.

`writer` encodes the tokens of passages (`codebook`, `centroids`) into segments (`segment`); `reader` finds candidates
(`probe`) and scores them (`scoring`).
"""

from xsearch.retrieve.colbert.reader import Colbert
from xsearch.retrieve.colbert.writer import ColbertWriter

__all__ = ["Colbert", "ColbertWriter"]
