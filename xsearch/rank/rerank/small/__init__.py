"""The reranker that ships: a few measurements of how a passage meets the query's words, weighed as learnt, in NumPy.

`held` reads a list of texts, `interaction` compares words with words, `features` measures a list of passages by it,
`model` weighs.
"""

from xsearch.rank.rerank.small.features import FEATURES, Measured, measure
from xsearch.rank.rerank.small.model import SmallReranker, SmallSettings, final_scores, small_reranker, witnessed

__all__ = [
    "FEATURES",
    "Measured",
    "SmallReranker",
    "SmallSettings",
    "final_scores",
    "measure",
    "small_reranker",
    "witnessed",
]
