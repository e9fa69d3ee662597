"""Reranking: the best passages of the fused ranking, scored again by a model that reads query and passage together.

`protocol` says what a reranker is, `card` describes one, `known` loads it; `budget` asks it within a limit of time and
`order` puts its scores into a ranking.
"""

from xsearch.rank.rerank.budget import Scored, score_within
from xsearch.rank.rerank.card import RerankerCard, known_rerankers, read_reranker_card, reranker_card
from xsearch.rank.rerank.known import load_reranker
from xsearch.rank.rerank.order import Reordered, reorder
from xsearch.rank.rerank.protocol import ListReranker, RerankCandidate, Reranker, is_composed, is_listwise

__all__ = [
    "ListReranker",
    "Reordered",
    "RerankCandidate",
    "Reranker",
    "RerankerCard",
    "Scored",
    "is_composed",
    "is_listwise",
    "known_rerankers",
    "load_reranker",
    "read_reranker_card",
    "reorder",
    "reranker_card",
    "score_within",
]
