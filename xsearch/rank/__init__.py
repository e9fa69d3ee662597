"""Ranking → Ranking: fusion, passages → documents, balance, snippets, evidence.

Imports core (and, for what reranks with a model, encode). Passages are numbers, languages are indices into the
index's list of languages; strings enter with snippets only.
"""

from xsearch.rank.balance import balance
from xsearch.rank.evidence import believed, word_matches
from xsearch.rank.fusion import Candidates, Fused, Part, fuse
from xsearch.rank.maxp import max_passage
from xsearch.rank.snippet import WIDTH, snippet

__all__ = [
    "WIDTH",
    "Candidates",
    "Fused",
    "Part",
    "balance",
    "believed",
    "fuse",
    "max_passage",
    "snippet",
    "word_matches",
]
